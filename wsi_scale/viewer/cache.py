"""Encoded pictures that were asked for last, within a bound of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Hashable


class PictureCache:
    """Pictures by what they show; safe among threads.

    Parameters
    ----------
    most_bytes
        What all of them together may take.

    Examples
    --------
    >>> cache = PictureCache(most_bytes=5)
    >>> cache.put("a", b"123")
    >>> cache.put("b", b"456")
    >>> cache.get("a"), cache.get("b")
    (None, b'456')
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._pictures: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """What the pictures take now."""
        return self._bytes

    def get(self, key: Hashable) -> bytes | None:
        """Return a picture if it is still there."""
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def put(self, key: Hashable, picture: bytes) -> None:
        """Keep a picture, and drop those that were not asked for for longest."""
        with self._lock:
            self._bytes += len(picture) - len(self._pictures.pop(key, b""))
            self._pictures[key] = picture
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._pictures.popitem(last=False)[1])
