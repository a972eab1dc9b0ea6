"""Whole or not at all: everything is written beside its place and renamed."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from wsi_scale.errors import ArtifactError

#: How often, and with which pause, an unfinished folder is removed until it stays away.
_REMOVALS, _PAUSE_S = 40, 0.05


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; on leaving without an error it takes its place.

    Raises
    ------
    ArtifactError
        The place cannot be written (no folder, no right, no space).
    """
    with _one_line_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    part = Path(name)
    try:
        with _one_line_errors(path):
            yield part
            with part.open("rb+") as written:
                os.fsync(written.fileno())
            part.chmod(0o666 & ~_umask())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path`` to fill; on leaving without an error it takes its place."""
    with _one_line_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        with _one_line_errors(path):
            yield part
            part.chmod(0o777 & ~_umask())
            if path.exists():
                old = part.with_suffix(".old")
                path.rename(old)
                part.rename(path)
                _remove(old)
            else:
                part.rename(path)
    finally:
        _remove_unfinished(part)


def check_writable(folder: Path) -> None:
    """Make a folder if it is missing, and make sure that files can be written in it.

    Raises
    ------
    ArtifactError
        They cannot.
    """
    with _one_line_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def sweep_parts(folder: Path) -> None:
    """Remove what a killed process left beside its results; the folder's lock must be held."""
    for part in [*folder.glob(".*.part"), *folder.glob(".*.old")]:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_unfinished(folder: Path) -> None:
    """Remove a folder into which zarr's threads may still write for a moment after an error."""
    for _ in range(_REMOVALS):
        if not folder.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_PAUSE_S)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArtifactError(f"cannot write {path}: {reason}; free some space or choose another folder") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
