"""The stages of one slide, as commands run them: each says how it ended."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.talk import conclude, say, tell, warn

if TYPE_CHECKING:
    from wsi_scale.artifacts.record import Record
    from wsi_scale.artifacts.runs import StageRun
    from wsi_scale.config.models import Config
    from wsi_scale.jobs.job import SlideJob
    from wsi_scale.results.summary import SlideSummary


def run_all(
    job: "SlideJob", settings: "Config", regressor: Path | None, calibration: Path | None, scheduler: str | None
) -> "SlideSummary":
    """Run all stages and say how each of them ended."""
    from wsi_scale.jobs.summary import summary_of
    from wsi_scale.jobs.timing import stage_words
    from wsi_scale.pipeline import run

    def on_end(done: "StageRun") -> None:
        if done.how != "passed on":
            tell(stage_words(done))
        if done.stage == "inspect":
            _warn_of(job)

    return summary_of(job, run(job, settings, regressor, calibration, scheduler, on_end))


def run_stages(
    job: "SlideJob",
    settings: "Config",
    names: Sequence[str],
    regressor: Path | None = None,
    calibration: Path | None = None,
    scheduler: str | None = None,
    *,
    record_only: bool,
) -> None:
    """Run stages and print the status of each; a failure exits 1 unless ``record_only``."""
    from wsi_scale.jobs.runner import holding
    from wsi_scale.jobs.timing import recording
    from wsi_scale.pipeline import slide_stages

    stages, failed = slide_stages(job, settings, regressor, calibration, scheduler), False
    with recording(settings), holding(job.folder):
        for name in names:
            if record_only:  # standard error is a log then
                say(f"[{name}]")
            record = stages[name]()
            if name == "inspect" or (name == names[0] and job.row.mpp is not None):
                _warn_of(job)
            failed = failed or record.status == "failed"
            _tell(record)
    if failed and not record_only:
        raise typer.Exit(ExitCode.FAILED)


def _warn_of(job: "SlideJob") -> None:
    """Print the warnings in slide.json of a slide that could be read."""
    from wsi_scale.artifacts.slide_info import NAME, read_slide_info
    from wsi_scale.slides.metadata import SlideInfo

    if not (job.folder / NAME).exists():
        return
    info, given = SlideInfo.from_dict(read_slide_info(job.folder)), job.row.mpp
    if info.status != "ok":
        return
    warn(info.warnings)
    if given is not None and (info.mpp, info.mpp_source) != (given, "override"):
        warn([f"--mpp {given:g} is not used, because `wsi-scale inspect` ran without it; run that again with --mpp"])


def _tell(record: "Record") -> None:
    """Print the status of a stage."""
    if record.status == "failed":
        typer.echo(f"error: {record.reason}", err=True)
    else:
        ending = f": {record.reason}" if record.reason else ""
        conclude(f"{record.stage}: {record.status}{ending}")
