"""``<stage>.json``: what became of a stage on a slide. No times, no absolute paths."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from wsi_scale.artifacts.documents import STRICT, read_document, write_json

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

    __pydantic_config__ = STRICT

    stage: str
    status: Status
    reason: str
    fingerprint: str


def record_path(folder: Path, stage: str) -> Path:
    """Path of a stage's record in a slide's folder."""
    return folder / f"{stage}.json"


def place_of(path: Path) -> tuple[Path, str]:
    """Return the slide's folder and the stage that a record's path stands for."""
    return path.parent, path.stem


def write_record(folder: Path, record: Record) -> None:
    """Write a record."""
    write_json(record_path(folder, record.stage), asdict(record))


def read_record(folder: Path, stage: str) -> Record | None:
    """Read a stage's record; None where there is none."""
    path = record_path(folder, stage)
    if not path.exists():
        return None
    return read_document(path, Record, "record of a stage", "delete it and run again")
