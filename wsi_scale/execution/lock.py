"""A lock for a slide's folder, released when its process ends if the file system supports locks."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from wsi_scale.errors import ArtifactError, BusyError

#: Name of the lock; a folder that has it holds results of this program.
LOCK = ".wsi-scale.lock"
#: Stands in for it, by being there, where the file system has no locks.
SOFT_LOCK = ".wsi-scale.softlock"
#: Seconds that a run waits for another process before it gives up.
PATIENCE_S = 3600.0
#: Seconds after which who waits is told which process holds a lock that may outlive it.
TELL_AFTER_S = 30.0

#: What a file system without locks answers.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextmanager
def folder_lock(
    folder: Path,
    *,
    patience_s: float = PATIENCE_S,
    tell_after_s: float = TELL_AFTER_S,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Lock a folder (made if missing) while the body runs.

    Parameters
    ----------
    patience_s
        How long to wait for another process, seconds.
    tell_after_s
        After how long to name the process that holds a soft lock, seconds.
    on_wait
        Called with one line, before waiting for another process.

    Raises
    ------
    BusyError
        Another process held it all the time.
    ArtifactError
        The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _acquired(folder, patience_s, tell_after_s, on_wait)
    except Timeout as error:
        raise BusyError(
            f"{folder}: another process has worked here for {patience_s:.0f} s; end it or choose another folder"
            f"{_holder(folder)}"
        ) from error
    except OSError as error:
        raise ArtifactError(f"cannot write in {folder}: {error.strerror or error}; choose another folder") from error
    try:
        yield
    finally:
        lock.release()


def break_lock(folder: Path) -> str:
    """Remove the soft lock of a process that has ended.

    Returns
    -------
    str
        Process and host that held it, "" where there was none.

    Raises
    ------
    ArtifactError
        It cannot be removed.
    """
    try:
        held = " ".join((folder / SOFT_LOCK).read_text(encoding="utf-8").split()[:2])
        (folder / SOFT_LOCK).unlink()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot remove {folder / SOFT_LOCK}: {error}") from error
    return held or "an unknown process"


def _acquired(folder: Path, patience_s: float, tell_after_s: float, on_wait: Callable[[str], None]) -> BaseFileLock:
    lock: BaseFileLock = FileLock(folder / LOCK, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait(f"{folder}: another process works here; waiting for it")
        lock.acquire(timeout=patience_s)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        lock = SoftFileLock(folder / SOFT_LOCK)
        _acquire_soft(lock, folder, patience_s, tell_after_s, on_wait)
    return lock


def _acquire_soft(
    lock: BaseFileLock, folder: Path, patience_s: float, tell_after_s: float, on_wait: Callable[[str], None]
) -> None:
    first = min(tell_after_s, patience_s)
    try:
        lock.acquire(timeout=first)
    except Timeout:
        on_wait(f"{folder}: another process works here{_holder(folder)}")
        lock.acquire(timeout=patience_s - first)


def _holder(folder: Path) -> str:
    """Say who holds a soft lock, and how to remove it; "" if there is none."""
    try:
        process, host = (folder / SOFT_LOCK).read_text(encoding="utf-8").split()[:2]
    except (OSError, ValueError):
        return ""
    return f"; process {process} on {host} holds it: if that has ended, run `wsi-scale unlock {folder}`"
