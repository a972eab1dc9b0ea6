"""Logs of a workflow's jobs, joined to one log for each slide."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wsi_scale.artifacts.record import record_path
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.errors import ArtifactError
from wsi_scale.jobs.job import SlideJob


def gather_logs(results: Path, jobs: Iterable[SlideJob]) -> None:
    """Append the logs of each slide's jobs to the slide's own log.

    A log is named after the last stage of its job.

    Raises
    ------
    ArtifactError
        A log cannot be written.
    """
    for job in jobs:
        folder = results / "logs" / "jobs" / job.row.slide_id
        # A job whose last stage has no record may still be at work.
        done = [stage for stage in SLIDE_STAGES if record_path(job.folder, stage).exists()]
        logs = [log for stage in done if (log := folder / f"{stage}.log").exists()]
        try:
            for log in logs:
                slides_log = results / "logs" / "slides" / f"{job.row.slide_id}.log"
                slides_log.parent.mkdir(exist_ok=True)
                with slides_log.open("ab") as stream:
                    stream.write(log.read_bytes())
                log.unlink()
        except OSError as error:
            raise ArtifactError(f"cannot write the log of {job.row.slide_id}: {error.strerror}") from error
        for empty in (folder, folder.parent):
            with suppress(OSError):  # not there, or not empty
                empty.rmdir()
