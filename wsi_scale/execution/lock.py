"""One process at a time in a slide's folder; the lock dies with the process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wsi_scale.errors import ArtifactError, BusyError

#: Name of the lock; a folder that has it holds results of this program.
LOCK = ".wsi-scale.lock"
#: Seconds that a stage waits for another process before it gives up.
PATIENCE_S = 3600.0


@contextmanager
def folder_lock(
    folder: Path, *, patience_s: float = PATIENCE_S, on_wait: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Hold a folder's lock (made if missing) while the body runs.

    Parameters
    ----------
    on_wait
        Told in one line that another process holds the lock, before waiting for it.

    Raises
    ------
    BusyError
        Another process held it all the while.
    ArtifactError
        The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait(f"{folder}: another process works here; waiting for it")
            lock.acquire(timeout=patience_s)
    except Timeout as error:
        raise BusyError(
            f"{folder}: another process has worked here for {patience_s:.0f} s; end it or choose another folder"
        ) from error
    except OSError as error:
        raise ArtifactError(f"cannot write in {folder}: {error.strerror or error}; choose another folder") from error
    try:
        yield
    finally:
        lock.release()
