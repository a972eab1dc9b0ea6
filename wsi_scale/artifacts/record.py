"""``<stage>.json``: what became of a stage on a slide, and the files that it left. No times, no absolute paths."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from wsi_scale.artifacts.documents import as_text, read_document, write_json
from wsi_scale.artifacts.manifest import StoredFile, find_fault, part_of
from wsi_scale.artifacts.stages import SLIDE_STAGES, writer_of
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT

Status = Literal["ok", "empty", "failed"]

_REMEDY = "run again to make a new one"


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
    files
        Every file that it left, by its path below the slide's folder.
    after
        Fingerprints of the stages that it went by: where one of them has another by now, it is out of date.
    """

    __pydantic_config__ = STRICT

    stage: str
    status: Status
    reason: str
    fingerprint: str
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Stored(Record):
    """A record as it lies on disk."""

    __pydantic_config__ = STRICT

    version: int = 0
    digest: str = ""

    @model_validator(mode="after")
    def _is_as_written(self) -> Self:
        if not set(self.after) <= set(SLIDE_STAGES[self.stage].after if self.stage in SLIDE_STAGES else ()):
            raise ValueError("it goes by stages that do not come before it")
        if not self.digest:
            raise ValueError("it was left by an earlier version")
        if self.digest != _digest(self.record(), self.version):
            raise ValueError("its digest does not match its content")
        return self

    def record(self) -> Record:
        """Return what was recorded."""
        return Record(self.stage, self.status, self.reason, self.fingerprint, self.files, self.after)


def record_path(folder: Path, stage: str) -> Path:
    """Path of a stage's record in a slide's folder."""
    return folder / SLIDE_STAGES[stage].record


def place_of(path: Path) -> tuple[Path, str]:
    """Return the slide's folder and the stage that a record's path stands for."""
    return path.parent, path.stem


def write_record(folder: Path, record: Record) -> None:
    """Write a record, with the version of its stage and a digest of all that it says."""
    version = SLIDE_STAGES[record.stage].version
    content = asdict(record) | {"version": version, "digest": _digest(record, version)}
    write_json(record_path(folder, record.stage), content)


def forget_record(folder: Path, stage: str) -> None:
    """Remove a stage's record: what it left is then nobody's result until the stage has run again.

    Raises
    ------
    ArtifactError
        It cannot be removed.
    """
    path = record_path(folder, stage)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot remove {path}: {error.strerror}") from error


def read_record(folder: Path, stage: str) -> Record | None:
    """Read a stage's record; None where there is none.

    Raises
    ------
    ArtifactError
        It is damaged, was edited, or was left by an earlier version.
    """
    path = record_path(folder, stage)
    if not path.exists():
        return None
    stored = read_document(path, _Stored, "record of this version", _REMEDY)
    if stored.stage != stage:
        raise ArtifactError(f"{path} is the record of {stored.stage}; {_REMEDY}")
    if stored.version != SLIDE_STAGES[stage].version:
        raise ArtifactError(f"{path} was left by another version of this program; {_REMEDY}")
    return stored.record()


def sound_record(folder: Path, stage: str) -> Record | None:
    """Read a stage's record; None where there is none, or one that is nobody's any more."""
    try:
        return read_record(folder, stage)
    except ArtifactError:
        return None


def find_newer(folder: Path, record: Record) -> str:
    """Name the first stage that has other results by now than a record went by; "" where none has.

    Raises
    ------
    ArtifactError
        A record is damaged.
    """
    for stage, fingerprint in record.after.items():
        now = read_record(folder, stage)
        if now is None or now.fingerprint != fingerprint:
            return stage
        if newer := find_newer(folder, now):
            return newer
    return ""


def check_artefact(folder: Path, artefact: str) -> Record:
    """Make sure that an artefact is what the record of its stage says, byte for byte.

    Returns
    -------
    Record
        That record.

    Raises
    ------
    ArtifactError
        It is missing, damaged, or not of the run that the record tells of.
    """
    stage = writer_of(artefact).name
    again = f"run `wsi-scale {stage}` again"
    record = read_record(folder, stage)
    if record is None:
        raise ArtifactError(f"{folder / artefact}: there is no {record_path(folder, stage).name} beside it; {again}")
    files = part_of(record.files, artefact)
    if not files:
        why = f": {record.reason}" if record.reason else ""
        raise ArtifactError(f"{folder}: `{stage}` left no {artefact} ({record.status}{why}); {again}")
    if newer := find_newer(folder, record):
        raise ArtifactError(f"{folder}: {artefact} is of an earlier run than {newer}.json; {again}")
    if fault := find_fault(folder, files):
        raise ArtifactError(f"{folder}: {fault}; {again}")
    return record


def _digest(record: Record, version: int) -> str:
    return hashlib.sha256(as_text(asdict(record) | {"version": version}).encode()).hexdigest()
