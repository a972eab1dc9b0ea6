"""``status.tsv``: the status of every slide, with the reason."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wsi_scale.artifacts import names
from wsi_scale.artifacts.record import Status, find_newer, read_record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.table import read_table, write_table
from wsi_scale.config.faults import faults_of
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT

NAME = names.STATUS

_FIRST = next(iter(SLIDE_STAGES))
_AGAIN = "run `wsi-scale report` again"
_COLUMNS = ("slide_id", "path", "status", "reason")


@dataclass(frozen=True)
class StatusRow:
    """A slide and its status.

    Attributes
    ----------
    slide_id, path
        Of the slide.
    status
        ok, empty or failed.
    reason
        One line; for ok "", or which parts of the slide have no results.
    """

    __pydantic_config__ = STRICT

    slide_id: str
    path: str
    status: Status
    reason: str


def slide_status(folder: Path, slide_id: str, path: str, stages: Sequence[str] = tuple(SLIDE_STAGES)) -> StatusRow:
    """Sum up a slide's records: failed if one failed or is missing, else empty if it has no tissue.

    The reason is that of the first stage that is not ok, else the first reason of any stage.
    """
    status: Status = "ok"
    reason = ""
    for stage in stages:
        record = read_record(folder, stage)
        if record is None:
            return StatusRow(slide_id, path, "failed", unfinished(stage, path))
        if record.status == "failed":
            return StatusRow(slide_id, path, "failed", record.reason)
        if newer := find_newer(folder, record):
            return StatusRow(slide_id, path, "failed", f"{stage} is older than {newer}; run again")
        if record.status == "empty" and status == "ok":
            status, reason = "empty", record.reason
        reason = reason or record.reason
    return StatusRow(slide_id, path, status, reason)


def is_gone(path: str) -> bool:
    """Whether nothing lies at a slide's path; False where that cannot be told, as of one that a table has escaped."""
    try:
        return bool(path) and "\\" not in path and not Path(path).exists()
    except (OSError, ValueError):
        return False


def unfinished(stage: str, path: str) -> str:
    """Say why a stage has left no record."""
    if stage == _FIRST and is_gone(path):
        return f"the slide's file {path} is not there; check the path, or whether its disk is mounted, and run again"
    return f"{stage} did not finish (killed, or out of memory?); run again"


def write_status(folder: Path, rows: Sequence[StatusRow]) -> None:
    """Write the table, one row for each slide; bytes of a path that are not valid text are escaped."""
    write_table(folder / NAME, _COLUMNS, [(row.slide_id, row.path, row.status, row.reason) for row in rows])


def read_status(path: Path) -> list[StatusRow]:
    """Read the table.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    try:
        return TypeAdapter(list[StatusRow]).validate_python(read_table(path, _COLUMNS))
    except ValidationError as error:
        raise ArtifactError(f"{path} is not a status table ({faults_of(error)}); {_AGAIN}") from error
    except (OSError, csv.Error, ValueError) as error:
        raise ArtifactError(f"{path} is not a status table ({error}); {_AGAIN}") from error
