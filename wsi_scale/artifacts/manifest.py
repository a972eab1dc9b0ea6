"""The files that a stage wrote, each with size and digest, for verification."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeInt

from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT


@dataclass(frozen=True)
class StoredFile:
    """A file as it was written.

    Attributes
    ----------
    size
        Bytes.
    digest
        SHA-256 over all of them.
    """

    __pydantic_config__ = STRICT

    size: NonNegativeInt
    digest: str


#: Path below the slide's folder, with ``/`` → the file.
Manifest = Mapping[str, StoredFile]


def manifest_of(folder: Path, artefacts: Sequence[str]) -> dict[str, StoredFile]:
    """List all files of some artefacts; of a Zarr store, every file in it.

    Raises
    ------
    ArtifactError
        One cannot be read.
    """
    return {name: _stored(folder / name) for name in _files_of(folder, artefacts)}


def find_fault(folder: Path, manifest: Manifest) -> str:
    """Read every file and name the first that is missing, added or changed; "" if there is none."""
    if fault := find_missing(folder, manifest):
        return fault
    roots = sorted({name.partition("/")[0] for name in manifest})
    for name in _files_of(folder, roots):
        if name not in manifest:
            return f"{name} was not written by this stage"
    for name, stored in manifest.items():
        try:
            if file_digest(folder / name) != stored.digest:
                return f"{name} is damaged"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    return ""


def find_missing(folder: Path, manifest: Manifest) -> str:
    """Name the first file that is missing or of another size, without reading any; "" if there is none."""
    for name, stored in manifest.items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if size != stored.size:
            return f"{name} is damaged"
    return ""


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def part_of(manifest: Manifest, artefact: str) -> dict[str, StoredFile]:
    """Choose the files of one artefact."""
    return {name: file for name, file in manifest.items() if name.partition("/")[0] == artefact}


def _files_of(folder: Path, artefacts: Sequence[str]) -> Iterator[str]:
    for artefact in artefacts:
        place = folder / artefact
        if place.is_dir():
            inner = [Path(root) / name for root, _, found in os.walk(place) for name in found]
            yield from sorted(str(path.relative_to(folder)) for path in inner)
        elif place.exists():
            yield artefact


def _stored(path: Path) -> StoredFile:
    try:
        return StoredFile(path.stat().st_size, file_digest(path))
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; run again") from error
