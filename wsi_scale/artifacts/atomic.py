"""Atomic writing: everything is written beside its target and then renamed."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from wsi_scale.errors import ArtifactError

#: Ends of the names of what is being written, and of what is being replaced: no other program gives them.
_PART, _OLD = ".wsi-scale-part", ".wsi-scale-old"
#: Such a name: hidden, of one artefact, made unique by :mod:`tempfile`.
_LEFT = re.compile(rf"\.(?P<artefact>.+)\.(?!progress\.)[a-z0-9_]{{8}}({_PART}|{_OLD})")

#: How often, and with which pause, an unfinished folder is removed until it stays away.
_REMOVALS, _PAUSE_S = 40, 0.05


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; without an error it then replaces ``path``.

    Raises
    ------
    ArtifactError
        The file cannot be written (no folder, no permission, no space).
    """
    with one_line_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        os.close(handle)
    part = Path(name)
    try:
        with one_line_errors(path):
            yield part
            with part.open("rb+") as written:
                os.fsync(written.fileno())
            part.chmod(0o666 & ~_umask())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, is_own: Callable[[Path], bool]) -> Iterator[Path]:
    """Give an empty folder beside ``path`` to fill; without an error it then replaces ``path``.

    Parameters
    ----------
    is_own
        Whether the present folder was written by this program and may be removed. Of a link, only the link is removed.

    Raises
    ------
    ArtifactError
        The folder cannot be written, or holds something else.
    """
    if os.path.lexists(path) and not path.is_symlink() and not is_own(path):
        raise ArtifactError(f"{path} was not made by this program; move it away or choose another folder")
    with one_line_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent))
    try:
        with one_line_errors(path):
            yield part
            part.chmod(0o777 & ~_umask())
            if os.path.lexists(path):
                old = part.with_suffix(_OLD)
                path.rename(old)
                part.rename(path)
                _remove(old)
            else:
                part.rename(path)
    finally:
        _remove_unfinished(part)


def progress_path(artefact: Path) -> Path:
    """Path of the blocks of an artefact in progress, which outlive the process that computes them."""
    return artefact.with_name(f".{artefact.name}.progress{_PART}")


def remove_progress(folder: Path, artefacts: Iterable[str]) -> None:
    """Remove blocks in progress of artefacts that are there: they were of other settings, which nobody asks for now."""
    for name in artefacts:
        if (path := progress_path(folder / name)).exists():
            path.unlink()


def check_writable(folder: Path) -> None:
    """Make a folder if it is missing, and check that files can be written in it.

    Raises
    ------
    ArtifactError
        They cannot.
    """
    with one_line_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def sweep_parts(folder: Path, is_artefact: Callable[[str], bool]) -> None:
    """Remove unfinished artefacts of a killed process; no other process may be writing them.

    Parameters
    ----------
    is_artefact
        Whether parts of an artefact of this name are to go.
    """
    for path in folder.glob(".*.wsi-scale-*"):
        left = _LEFT.fullmatch(path.name)
        if left and is_artefact(left["artefact"]):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
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
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn an error of writing ``path`` into an ArtifactError of one line."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArtifactError(f"cannot write {path}: {reason}; free some space or choose another folder") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
