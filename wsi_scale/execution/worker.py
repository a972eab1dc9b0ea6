"""What a process keeps between blocks, by content: little of each kind, and nothing closed while it is used."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Thing = TypeVar("Thing")
Kind = Literal["network", "slide"]

#: Things of a kind that a process keeps; more only while more are used at a time.
MOST: dict[Kind, int] = {"network": 2, "slide": 4}


@dataclass
class _Kept:
    """A thing, and how many blocks use it now."""

    thing: Any
    users: int = 0


#: The one that was used last is at the end.
_kept: OrderedDict[tuple[Kind, Hashable], _Kept] = OrderedDict()
_lock = threading.RLock()


@contextmanager
def kept(kind: Kind, key: Hashable, make: Callable[[], Thing]) -> Iterator[Thing]:
    """Lend what ``make`` made when this process first asked for ``key``.

    It may have been forgotten meanwhile for others of its kind, and is then made again. What a block fails with is
    forgotten too: a handle that a file server has let go of would fail for ever.

    Parameters
    ----------
    kind
        What is bounded together.
    key
        What the thing is made of: a digest of the content, never a path alone. The file there may be replaced, and
        a process may serve many runs.
    make
        Makes the thing, which is closed when it is forgotten and nobody uses it any more.
    """
    with _lock:
        lent = _kept.get((kind, key)) or _Kept(make())
        lent.users += 1
        _kept[kind, key] = lent
        _kept.move_to_end((kind, key))
    try:
        yield lent.thing
    except BaseException:
        with _lock:
            if _kept.get((kind, key)) is lent:
                del _kept[kind, key]
        raise
    finally:
        with _lock:
            lent.users -= 1
            if _kept.get((kind, key)) is not lent:
                _close_unused(lent)
            _bound(kind)


def clear() -> None:
    """Forget everything that this process keeps; what is used now is closed when its last user leaves."""
    with _lock:
        forgotten = list(_kept.values())
        _kept.clear()
        for one in forgotten:
            _close_unused(one)


def _bound(kind: Kind) -> None:
    """Forget what was not used for longest, as far as nobody uses it."""
    of_kind = [place for place in _kept if place[0] == kind]
    idle = [place for place in of_kind if not _kept[place].users]
    for place in idle[: max(0, len(of_kind) - MOST[kind])]:
        _close_unused(_kept.pop(place))


def _close_unused(one: _Kept) -> None:
    if not one.users and hasattr(one.thing, "close"):
        one.thing.close()
