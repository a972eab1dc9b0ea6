"""Errors of the libraries that read slides, turned into errors of this program.

On damaged files these libraries raise exceptions of many kinds: struct, codec and XML errors, KeyError,
OverflowError, RecursionError, MemoryError. Here each of them becomes a SlideError with a one-line message, so that
no other module has to list the exceptions of a library.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wsi_scale.errors import ReadError, RegionError, SlideError

#: What a user can do about a damaged file.
AGAIN = "the file is damaged, copy or export it again"

#: More of a library's own words than this tells a user nothing.
_LONGEST_REASON = 200


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn every exception of a reader that opens a slide or reads its header into a SlideError.

    Parameters
    ----------
    path
        The slide as the user named it.

    Raises
    ------
    SlideError
        In place of every other exception; a SlideError raised inside keeps its own line.
    """
    try:
        yield
    except SlideError:
        raise
    except Exception as error:  # the readers' border
        if isinstance(error, OSError) and error.errno:  # gone, locked, a share that went away: no damage
            raise SlideError(f"{path}: cannot be read ({reason_of(error)})") from error
        raise SlideError(f"{path}: cannot be opened ({reason_of(error)}); {AGAIN}") from error


def check_place(path: Path) -> None:
    """Make sure that a file or folder exists, without opening it: a pipe would block, a device would never end.

    Raises
    ------
    SlideError
        There is none, or it is a pipe, a device or a socket.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a null byte
        if path.is_symlink():
            raise SlideError(
                f"{path}: it is a link to {path.readlink()}, which cannot be read ({reason_of(error)}); "
                "restore the target or remove the link"
            ) from error
        raise SlideError(f"{path}: cannot be read ({reason_of(error)}); check the path") from error
    if _is_special(mode):
        raise SlideError(f"{path}: a pipe, device or socket is not a slide; give a file or a folder")


def check_beside(folder: Path) -> None:
    """Make sure that no file of a folder blocks a reader which opens all of them.

    Raises
    ------
    SlideError
        One is a pipe, a device or a socket.
    """
    for path in sorted(folder.iterdir()):
        with suppress(OSError):  # a broken link blocks nobody
            if _is_special(path.stat().st_mode):
                raise SlideError(f"{path}: a pipe, device or socket among DICOM files stops their reader; remove it")


def _is_special(mode: int) -> bool:
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def decoding(path: Path, level: int, x: int, y: int) -> Iterator[None]:
    """Turn every exception of a reader that decodes pixels into a RegionError that names the place.

    An interrupted network share or too little memory is no damage of the slide: the slide fails, and can be run again.

    Parameters
    ----------
    path
        The slide as the user named it.
    level
        Index of the level.
    x, y
        Top-left corner of the box in that level's pixels.

    Raises
    ------
    RegionError
        In place of every other exception; a SlideError raised inside keeps its own line.
    ReadError
        In place of MemoryError and of an OSError that the system raised (it has an errno).
    """
    try:
        yield
    except SlideError:
        raise
    except Exception as error:  # the readers' border
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno):
            raise ReadError(f"{path}: cannot be read ({reason_of(error)}); run again") from error
        raise RegionError(
            f"{path}: level {level} cannot be decoded at x={x} y={y} ({reason_of(error)}); {AGAIN}"
        ) from error


def reason_of(error: BaseException) -> str:
    r"""Put a library's error message on one line; without a message, use the error's class name.

    >>> reason_of(ValueError("two\n lines")), reason_of(KeyError()), reason_of(MemoryError())
    ('two lines', 'KeyError', 'not enough memory')
    """
    if isinstance(error, MemoryError):
        return "not enough memory"
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())[:_LONGEST_REASON] or type(error).__name__
