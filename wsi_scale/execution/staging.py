"""Reading a slide from a copy on a machine's own disk, which the machine's processes share."""

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wsi_scale.errors import UserError, one_line
from wsi_scale.execution.lock import folder_lock
from wsi_scale.execution.progress import Advance, progress
from wsi_scale.execution.scratch import Copy, Scratch, make_room, sweep

log = logging.getLogger(__name__)

#: Waits a minute at most: whoever decides on copies does so at once.
_deciding = partial(folder_lock, patience_s=60.0)
#: Seconds between two looks at a copy that another process makes.
_LOOK_S = 0.2
_CHUNK_BYTES = 8 << 20
_MB = 1_000_000


@dataclass(frozen=True)
class Original:
    """A slide that is copied.

    Attributes
    ----------
    path
        A file, or a folder.
    files
        All of its files; each lies beside the path, or below its folder.
    key
        Digest of their content and names: 32 hexadecimal digits.
    is_same
        Whether what lies at another path is this slide.
    """

    path: Path
    files: Sequence[Path]
    key: str
    is_same: Callable[[Path], bool]

    def stamp(self) -> list[tuple[int, int]]:
        """Bytes and time of each file; they change when it is written."""
        return [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, self.files)]


@contextmanager
def staged(original: Original, scratch: Scratch) -> Iterator[Path]:
    """Copy a slide to local scratch, and hold the copy while the body runs; the last process to hold it removes it.

    A process that finds a copy takes that, or waits until it is complete. Where a copy does not fit or cannot be made,
    one line warns of it.

    Yields
    ------
    path
        The copy; the original where there is none.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(_held_copy(original, scratch))
        except (OSError, UserError) as error:
            reason = getattr(error, "strerror", None) or one_line(error)
            log.warning("%s is read where it lies, not copied to %s: %s", original.path, scratch.place, reason)
            path = original.path
        yield path


@contextmanager
def _held_copy(original: Original, scratch: Scratch) -> Iterator[Path]:
    folder = scratch.folder()
    copy = Copy(folder / original.key)
    path = copy.files / original.path.name
    lock, is_new = _hold(copy, original, scratch)
    try:
        if is_new:
            _fill(copy, lock, original)
        elif not original.is_same(path):
            raise OSError(errno.EIO, f"the copy {copy.folder} is damaged")
        yield path
    finally:
        with suppress(OSError, UserError), _deciding(folder):  # else who stages next removes it
            os.close(lock)
            copy.remove_if_idle()


def _hold(copy: Copy, original: Original, scratch: Scratch) -> tuple[int, bool]:
    """Lock the copy: the descriptor, and whether the copy is still to be made, by this process."""
    size, told = sum(size for size, _ in original.stamp()), False
    while True:
        with _deciding(copy.folder.parent):
            sweep(copy.folder.parent)
            if not copy.folder.exists():
                make_room(scratch, size)
                return copy.begin(size), True
            lock = copy.shared()
        if lock is not None:
            return lock, False
        if not told:
            log.info("%s: waiting for another process, which copies it to %s", original.path, scratch.place)
            told = True
        time.sleep(_LOOK_S)


def _fill(copy: Copy, lock: int, original: Original) -> None:
    """Copy all files, check that they are the slide, and let others read them."""
    begin, before = time.monotonic(), original.stamp()
    size = sum(size for size, _ in before)
    with progress(f"copy {original.path.name}", max(1, size // _MB), unit="MB") as advance:
        _copy_files(original, copy.files, advance)
    if original.stamp() != before or not original.is_same(copy.files / original.path.name):
        raise OSError(errno.EIO, "it changed while it was copied")
    with _deciding(copy.folder.parent):
        copy.finish(lock)
    seconds = time.monotonic() - begin
    log.info("%s: %.2f GB copied to %s in %.0f s", original.path, size / 1e9, copy.folder, seconds)


def _copy_files(original: Original, target: Path, advance: Advance) -> None:
    copied = 0
    for file in original.files:
        place = target / file.relative_to(original.path.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb", buffering=0) as source, place.open("xb") as stream:
            while chunk := source.read(_CHUNK_BYTES):
                stream.write(chunk)
                advance((copied + len(chunk)) // _MB - copied // _MB)
                copied += len(chunk)
