"""A user's folder of copies on a machine's own disk: which copies there are, who holds them, and room for another.

In a folder of the user's own, below the scratch folder, each copy has a folder named by a digest of its content::

    wsi-scale-staged-1000/3f…9a/slide/…   the files, by the names that they have beside each other
                               /lock      locked alone by the process that copies, shared by those that read
                               /size      bytes of all files together
                               /complete  written last: the start of the machine, since which nothing can have been lost

The kernel frees a lock when its process ends, however it ends: a copy that can be locked alone is held by nobody. All
that is done here but copying is done under the lock of the folder.
"""

import errno
import fcntl
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsi_scale.execution.machine import boot_id

#: Share of the disk that is left to others, where no bound is given.
SPARE = 0.05
#: Seconds after its last use from which on a copy that nobody holds is removed.
KEPT_S = 86_400.0

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Scratch:
    """Where copies may lie.

    Attributes
    ----------
    place
        A folder on the machine's own disk; it exists.
    most_bytes
        That all copies of the user together may take there; None for what is free but a twentieth of the disk.
    """

    place: Path
    most_bytes: int | None = None

    def folder(self) -> Path:
        """Return the user's folder of copies, made if missing; nobody else reads in it.

        Raises
        ------
        OSError
            It cannot be made, or another user has made it.
        """
        folder = self.place / f"wsi-scale-staged-{os.getuid()}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise PermissionError(errno.EPERM, f"{folder.name} there is not a folder of this user")
        return folder


class Copy:
    """A copy of a slide.

    Parameters
    ----------
    folder
        Its own, which may not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "slide"
        self._lock, self._size, self._complete = (folder / name for name in ("lock", "size", "complete"))

    @property
    def size(self) -> int:
        """Bytes that it takes when it is complete; 0 where it has no size yet."""
        try:
            return int(self._size.read_text())
        except (OSError, ValueError):
            return 0

    @property
    def missing(self) -> int:
        """Bytes that are still to be written."""
        written = sum(file.stat().st_size for file in self.files.rglob("*") if file.is_file())
        return max(0, self.size - written)

    @property
    def is_complete(self) -> bool:
        """Whether all of it was written, and the machine was not started anew since."""
        try:
            return self._complete.read_text() == boot_id()
        except OSError:
            return False

    @property
    def used_at(self) -> float:
        """When a process last took it, seconds since 1970."""
        return self._complete.stat().st_mtime

    def begin(self, size: int) -> int:
        """Make its folder and lock it alone; returns the descriptor of the lock."""
        self.files.mkdir(parents=True)
        self._size.write_text(str(size))
        lock = self.locked(fcntl.LOCK_EX)
        if lock is None:
            raise BlockingIOError(errno.EAGAIN, "another program has locked the copy")
        return lock

    def finish(self, lock: int) -> None:
        """Mark it as complete, and share its lock."""
        # What was written after the machine's start is there, on the disk or on the way to it.
        self._complete.write_text(boot_id())
        # In between it is locked by nobody, but nobody looks without the lock of the folder.
        fcntl.flock(lock, fcntl.LOCK_SH)

    def shared(self) -> int | None:
        """Hold it for reading: the descriptor of the lock, or None while another process copies it."""
        lock = self.locked(fcntl.LOCK_SH)
        if lock is not None:
            self._complete.touch()
        return lock

    def locked(self, how: int) -> int | None:
        """Lock it, shared or alone: the descriptor, or None where another process has locked it otherwise."""
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        except OSError:
            os.close(lock)
            raise
        return lock

    def is_idle(self) -> bool:
        """Whether no process holds it."""
        lock = self.locked(fcntl.LOCK_EX)
        if lock is not None:
            os.close(lock)
        return lock is not None

    def remove_if_idle(self) -> None:
        """Remove it, unless a process holds it."""
        if self.folder.exists() and self.is_idle():
            self._complete.unlink(missing_ok=True)  # of a removal that is killed nothing complete is left
            shutil.rmtree(self.folder)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left: half-made copies, and those that nobody has used for a day."""
    for copy in _copies(folder):
        if not copy.is_complete or time.time() - copy.used_at > KEPT_S:
            copy.remove_if_idle()


def make_room(scratch: Scratch, size: int) -> None:
    """Remove copies that nobody holds, the one that was not used for longest first, until another fits.

    Raises
    ------
    OSError
        It would not fit without any of them either; then none is removed.
    """
    copies = _copies(scratch.folder())
    idle = sorted((copy for copy in copies if copy.is_idle()), key=lambda copy: copy.used_at)
    disk = shutil.disk_usage(scratch.place)
    room = disk.free - sum(copy.missing for copy in copies)
    if scratch.most_bytes is None:
        room -= int(disk.total * SPARE)
    else:
        room = min(room, scratch.most_bytes - sum(copy.size for copy in copies))
    if size > room + sum(copy.size for copy in idle):
        bound = "the free space" if scratch.most_bytes is None else "execution.scratch_gb, or the free space,"
        raise OSError(errno.ENOSPC, f"{bound} is too small for its {size / 1e9:.2f} GB")
    while size > room:
        room += idle[0].size
        idle.pop(0).remove_if_idle()


def _copies(folder: Path) -> list[Copy]:
    return [Copy(path) for path in sorted(folder.iterdir()) if _KEY.fullmatch(path.name) and path.is_dir()]
