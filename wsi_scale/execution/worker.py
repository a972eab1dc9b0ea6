"""What a worker keeps between blocks: few networks and slides, by content, none closed while in use; and memory."""

import ctypes
import os
import platform
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

Thing = TypeVar("Thing")
Kind = Literal["network", "slide"]

#: Things of a kind that a process keeps on a device; more only while more are used at a time.
MOST: dict[Kind, int] = {"network": 2, "slide": 4}


@dataclass
class _Kept:
    """A cached item, and how many blocks use it now."""

    thing: Any
    users: int = 0


#: What Dask sets for its workers: glibc gives memory of this size (bytes) back to the system when it is freed.
_TRIMMED = ("MALLOC_TRIM_THRESHOLD_", "65536")
#: glibc's numbers for the sizes from which memory is given back and is mapped on its own, and the most that it would
#: raise them to by itself, had Dask set none.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM_BYTES, _MMAP_BYTES = 64 << 20, 32 << 20

#: The one that was used last is at the end.
_kept: OrderedDict[tuple[Kind, str, Hashable], _Kept] = OrderedDict()
_lock = threading.RLock()


@contextmanager
def kept(kind: Kind, key: Hashable, make: Callable[[], Thing], *, device: str = "cpu") -> Iterator[Thing]:
    """Lend the cached item of ``key``, made by ``make`` if it is not in the cache.

    It may have been removed for others of its kind, and is then made again. An item with which a block fails is
    removed too, because a handle that a file server has closed would always fail.

    Parameters
    ----------
    kind, device
        Items of one kind on one device share a limit.
    key
        What the item depends on: a digest of the content, never a path alone. The file there may be replaced, and
        a process may serve many runs.
    make
        Makes the item, which is closed when it is removed and not in use any more.
    """
    place = (kind, device, key)
    with _lock:
        lent = _kept.get(place) or _Kept(make())
        lent.users += 1
        _kept[place] = lent
        _kept.move_to_end(place)
    try:
        yield lent.thing
    except BaseException:
        with _lock:
            if _kept.get(place) is lent:
                del _kept[place]
        raise
    finally:
        with _lock:
            lent.users -= 1
            if _kept.get(place) is not lent:
                _close_unused(lent)
            _bound(kind, device)


@cache
def keep_freed_memory() -> None:
    """Let a worker of Dask keep some of the memory that it frees, as other processes do.

    A network's pass takes and frees some megabytes for every layer. Given back and taken page by page each time, they
    cost half as much CPU time again as the pass.
    """
    if platform.libc_ver()[0] == "glibc" and os.environ.get(_TRIMMED[0]) == _TRIMMED[1]:
        allocator = ctypes.CDLL(None)
        allocator.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        allocator.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


def clear() -> None:
    """Clear the cache; items in use are closed when their last user is done."""
    with _lock:
        forgotten = list(_kept.values())
        _kept.clear()
        for one in forgotten:
            _close_unused(one)


def _bound(kind: Kind, device: str) -> None:
    """Remove the items that were not used for longest and are not in use."""
    of_kind = [place for place in _kept if place[:2] == (kind, device)]
    idle = [place for place in of_kind if not _kept[place].users]
    for place in idle[: max(0, len(of_kind) - MOST[kind])]:
        _close_unused(_kept.pop(place))


def _close_unused(one: _Kept) -> None:
    if not one.users and hasattr(one.thing, "close"):
        one.thing.close()
