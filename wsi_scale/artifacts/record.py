"""``<stage>.json``: what became of a stage on a slide. No times, no absolute paths."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.errors import ArtifactError

Status = Literal["ok", "empty", "failed"]

#: The stages of one slide, in the order in which they run.
SLIDE_STAGES = ("inspect", "predict", "tile", "search", "extract")


@dataclass(frozen=True)
class Record:
    """What became of a stage.

    Attributes
    ----------
    stage
        Its name.
    status
        ok; empty (no tissue: no failure); failed.
    reason
        One line for a failed or empty stage, and for an ok one that had to leave something out; else "".
    fingerprint
        What its artefacts depend on; "" where the failure came first.
    """

    stage: str
    status: Status
    reason: str
    fingerprint: str


def record_path(folder: Path, stage: str) -> Path:
    """Path of a stage's record in a slide's folder."""
    return folder / f"{stage}.json"


def write_record(folder: Path, record: Record) -> None:
    """Write a record."""
    write_json(record_path(folder, record.stage), asdict(record))


def read_record(folder: Path, stage: str) -> Record | None:
    """Read a stage's record; None where there is none."""
    path = record_path(folder, stage)
    if not path.exists():
        return None
    content = read_json(path)
    try:
        record = Record(**content)
    except TypeError as error:
        raise ArtifactError(f"{path} is no record of a stage; delete it and run again") from error
    if record.status not in get_args(Status):
        raise ArtifactError(f"{path} has the unknown status {record.status!r}; delete it and run again")
    return record
