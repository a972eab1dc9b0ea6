"""Jobs of a cohort's batches, as the workflow and array scripts start them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.options import Assignments, Calibration, ConfigFile, Regressor, load, one_line_errors, stages_named

if TYPE_CHECKING:
    from wsi_scale.batch import Part


def work(
    plan: Annotated[Path, typer.Argument(help="planned.json of the results: the slides and their batches.")],
    batch: Annotated[str, typer.Argument(help="The batch.")],
    stages: Annotated[str, typer.Option(help="The stages, divided by commas.")],
    regressor: Regressor = None,
    calibration: Calibration = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Annotated[
        int | None, typer.Option(help="Blocks in work at a time where the configuration says nothing.")
    ] = None,
    may_retry: Annotated[
        bool, typer.Option(help="End with exit code 137 if memory does not suffice, to be started again.")
    ] = False,
) -> None:
    """Take the slides of a batch through stages, in one process; each has its own records."""
    with one_line_errors():
        from wsi_scale.artifacts.job_mark import mark_path, write_mark
        from wsi_scale.batch import Part, Work, run_batch
        from wsi_scale.execution.child import StoppedError
        from wsi_scale.jobs.cohort import batch_jobs, planned
        from wsi_scale.report.pages import MOST_EMBEDDED

        chosen = tuple(stages_named(stages))
        jobs = batch_jobs(plan, batch)
        many = len(planned(plan)) > MOST_EMBEDDED
        this = Work(plan.parent, batch, load(config, assignments), regressor, calibration, workers, pages=many)
        try:
            for part in run_batch(this, [Part(job, chosen) for job in jobs], may_retry=may_retry):
                _tell(part)
        except StoppedError as stopped:
            raise typer.Exit(stopped.exit_code) from stopped
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        write_mark(mark_path(plan.parent, batch, chosen), [job.row.slide_id for job in jobs])


def _tell(part: "Part") -> None:
    """Print what became of a slide: every failure, and the end of its last stage."""
    from wsi_scale.artifacts.stages import SLIDE_STAGES
    from wsi_scale.artifacts.status import slide_status

    row = slide_status(part.job.folder, part.job.row.slide_id, str(part.job.row.path), part.stages)
    if row.status == "failed" or part.stages[-1] == list(SLIDE_STAGES)[-1]:
        typer.echo(f"{row.slide_id}: {row.status}{f' ({row.reason})' if row.reason else ''}")
