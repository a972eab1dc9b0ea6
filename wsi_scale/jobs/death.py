"""The record of a stage whose process ended before it could write one."""

import signal

from wsi_scale.artifacts.record import Record, read_record, write_record
from wsi_scale.execution.child import SIGNALLED
from wsi_scale.jobs.job import SlideJob


def record_death(job: SlideJob, stage: str, exit_code: int) -> None:
    """Write a failed record for the stage at which a process ended.

    Parameters
    ----------
    exit_code
        As a shell gives it.

    Raises
    ------
    ArtifactError
        The record cannot be written.
    """
    write_record(job.folder, Record(stage, "failed", _reason(stage, exit_code), ""))


def record_failure(job: SlideJob, stage: str, reason: str) -> None:
    """Write a failed record for a stage that could not do so itself; what a record says already stays.

    Raises
    ------
    ArtifactError
        The record cannot be written.
    """
    if read_record(job.folder, stage) is None:
        write_record(job.folder, Record(stage, "failed", reason, ""))


def _reason(stage: str, exit_code: int) -> str:
    if exit_code > SIGNALLED:
        return f"{stage} was killed before it could record a reason ({_name(exit_code - SIGNALLED)})"
    return f"{stage} ended with exit code {exit_code} before it could record a reason; see the slide's log"


def _name(number: int) -> str:
    """Name a signal; SIGKILL is mostly sent when memory is full."""
    if number == signal.SIGKILL:
        return "out of memory?"
    known = {int(member): member.name for member in signal.Signals}
    return known.get(number, f"signal {number}")
