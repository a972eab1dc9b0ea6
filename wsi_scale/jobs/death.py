"""The record of a stage whose process ended before it could write one."""

import signal
from collections.abc import Sequence
from pathlib import Path

from wsi_scale.artifacts.record import Record, place_of, read_record, write_record

#: A shell gives a process that a signal killed this much more than the signal's number.
_SIGNALLED = 128
#: How much of a log's end is looked through for the reason.
_LOG_BYTES = 1 << 16


def record_death(records: Sequence[Path], exit_code: int, log: Path) -> tuple[Record | None, list[str]]:
    """Write a failed record for the stage at which a process ended: the first that has none.

    Parameters
    ----------
    records
        Paths of the records that the process was to write, in their order.
    exit_code
        As the shell gives it.
    log
        Where its standard error went.

    Returns
    -------
    record
        What was written; None where the process had written all records before it died.
    left
        The later stages, which have no record yet.

    Raises
    ------
    ArtifactError
        The record cannot be written.
    """
    missing = [(folder, stage) for folder, stage in map(place_of, records) if read_record(folder, stage) is None]
    if not missing:
        return None, []
    (folder, stage), *left = missing
    record = Record(stage, "failed", _reason(stage, exit_code, log), "")
    write_record(folder, record)
    return record, [name for _, name in left]


def _reason(stage: str, exit_code: int, log: Path) -> str:
    if exit_code > _SIGNALLED:
        return f"{stage} was killed before it could record a reason ({_name(exit_code - _SIGNALLED)})"
    if line := _last_line(log):
        return line
    return f"{stage} ended with exit code {exit_code} before it could record a reason; see the slide's log"


def _name(number: int) -> str:
    """Name a signal; SIGKILL is mostly sent when memory is full."""
    if number == signal.SIGKILL:
        return "out of memory?"
    known = {int(member): member.name for member in signal.Signals}
    return known.get(number, f"signal {number}")


def _last_line(log: Path) -> str:
    """Return the last line of a log, which is that of an error or a traceback."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(log.stat().st_size - _LOG_BYTES, 0))
            lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines()]
    except OSError:
        return ""
    said = [line for line in lines if line]
    return said[-1].removeprefix("error: ") if said else ""
