"""What a worker keeps between blocks: a network is loaded once, a slide opened once, neither is pickled."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Thing = TypeVar("Thing")

_kept: dict[Hashable, Any] = {}
_lock = threading.RLock()


def once_per_worker(key: Hashable, make: Callable[[], Thing]) -> Thing:
    """Return what ``make`` made the first time this process asked for ``key``."""
    with _lock:
        if key not in _kept:
            _kept[key] = make()
        thing: Thing = _kept[key]
        return thing


def let_go() -> None:
    """Close and forget everything that this process keeps."""
    with _lock:
        for thing in _kept.values():
            if hasattr(thing, "close"):
                thing.close()
        _kept.clear()
