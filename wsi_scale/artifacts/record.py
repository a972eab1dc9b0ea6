"""``<stage>.json``: status of a stage on a slide, and the files that it wrote. No times, no absolute paths."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from wsi_scale.artifacts.documents import as_text, check_document, read_content, write_json
from wsi_scale.artifacts.manifest import StoredFile, find_fault, part_of
from wsi_scale.artifacts.stages import SLIDE_STAGES, writer_of
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT

Status = Literal["ok", "empty", "failed"]

_REMEDY = "run again to make a new one"


@dataclass(frozen=True)
class Record:
    """Status of a stage, its reason and its files.

    Attributes
    ----------
    stage
        Its name.
    status
        ok; empty (no tissue: no failure); failed.
    reason
        One line for a failed or empty stage, and for an ok one that had to omit something; else "".
    fingerprint
        What its artefacts depend on; "" if it failed before that was known.
    files
        Every file that it wrote, by its path below the slide's folder.
    after
        Fingerprints of the stages that it used: if one of them has changed, this record is out of date.
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
    """A record as stored on disk."""

    __pydantic_config__ = STRICT

    version: int = 0
    digest: str = ""

    @model_validator(mode="after")
    def _is_as_written(self) -> Self:
        if not set(self.after) <= set(SLIDE_STAGES[self.stage].after if self.stage in SLIDE_STAGES else ()):
            raise ValueError("it names stages that do not come before it")
        if not self.digest:
            raise ValueError("it was written by an earlier version")
        if self.digest != _digest(self.record(), self.version):
            raise ValueError("its digest does not match its content")
        return self

    def record(self) -> Record:
        """Return the record without its digest."""
        return Record(self.stage, self.status, self.reason, self.fingerprint, self.files, self.after)


def record_path(folder: Path, stage: str) -> Path:
    """Path of a stage's record in a slide's folder."""
    return folder / SLIDE_STAGES[stage].record


def write_record(folder: Path, record: Record) -> None:
    """Write a record, with the version of its stage and a digest of its content."""
    version = SLIDE_STAGES[record.stage].version
    content = asdict(record) | {"version": version, "digest": _digest(record, version)}
    write_json(record_path(folder, record.stage), content)


def forget_record(folder: Path, stage: str) -> None:
    """Remove a stage's record: its artefacts then do not count as results until the stage has run again.

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
        It is damaged, was edited, or was written by an earlier version.
    """
    path = record_path(folder, stage)
    if not path.exists():
        return None
    stored = _checked(read_content(path), str(path))
    if stored.stage != stage:
        raise ArtifactError(f"{path} is the record of {stored.stage}; {_REMEDY}")
    if stored.version != SLIDE_STAGES[stage].version:
        raise ArtifactError(f"{path} was written by another version of this program; {_REMEDY}")
    return stored.record()


def valid_record(folder: Path, stage: str) -> Record | None:
    """Read a stage's record; None if it is missing, damaged or of another version."""
    try:
        return read_record(folder, stage)
    except ArtifactError:
        return None


def find_newer(folder: Path, record: Record) -> str:
    """Name the first stage whose results have changed since a record was made; "" if there is none.

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
    """Check that an artefact is, byte for byte, what the record of its stage says.

    Returns
    -------
    Record
        That record.

    Raises
    ------
    ArtifactError
        It is missing, damaged, or not from the run of the record.
    """
    stage = writer_of(artefact).name
    again = f"run `wsi-scale {stage}` again"
    record = read_record(folder, stage)
    if record is None:
        raise ArtifactError(f"{folder / artefact}: there is no {record_path(folder, stage).name} beside it; {again}")
    files = part_of(record.files, artefact)
    if not files:
        why = f": {record.reason}" if record.reason else ""
        raise ArtifactError(f"{folder}: `{stage}` wrote no {artefact} ({record.status}{why}); {again}")
    if newer := find_newer(folder, record):
        raise ArtifactError(f"{folder}: {artefact} is older than {newer}.json; {again}")
    if fault := find_fault(folder, files):
        raise ArtifactError(f"{folder}: {fault}; {again}")
    return record


@lru_cache(maxsize=4 * len(SLIDE_STAGES))  # judging a slide's stages reads the records before them again and again
def _checked(content: bytes, where: str) -> _Stored:
    return check_document(content, _Stored, where, "record of this version", _REMEDY)


def _digest(record: Record, version: int) -> str:
    return hashlib.sha256(as_text(asdict(record) | {"version": version}).encode()).hexdigest()
