"""Reading a TIFF's directories without trusting them.

Libraries follow the chain of directories (IFDs) as they find it: one that loops is followed for ever. This walk reads
only offsets and a few tags.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import AGAIN

#: A directory chain longer than this is taken for damage.
MAX_DIRECTORIES = 100_000

#: What classic TIFF's offsets can reach.
_FOUR_GIB = 1 << 32

_CODES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip

SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
DESCRIPTION, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 270, 273, 277, 278, 279, 284
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS, SAMPLE_FORMAT = 322, 323, 324, 325, 330, 339
#: Hamamatsu's mark of an NDPI file, in its first directory.
_NDPI_MARK = 65420
#: Tags that must be whole numbers with a value each.
_NUMBERS = frozenset({
    SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS,
    PLANAR, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS, SAMPLE_FORMAT,
})  # fmt: skip
_WANTED = _NUMBERS | {DESCRIPTION, _NDPI_MARK}

Tags = dict[int, NDArray[np.integer]]


@dataclass(frozen=True)
class RawDirectory:
    """A directory as it was read.

    Parameters
    ----------
    offset, number, is_sub
        As in ``tiff_header.Directory``.
    tags
        Values of the wanted tags, each at least one.
    """

    offset: int
    number: int
    is_sub: bool
    tags: Tags

    def first(self, code: int, default: int) -> int:
        """Give a tag's first value."""
        return int(self.tags[code][0]) if code in self.tags else default

    def all(self, *codes: int) -> NDArray[np.integer]:
        """Give all values of the first tag that is there."""
        return next((self.tags[code] for code in codes if code in self.tags), np.empty(0, np.int64))


class Walk:
    """One file's byte order, field sizes and directories.

    Parameters
    ----------
    path, stream
        The file, and its open stream at the start.
    """

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._stream = path, stream
        self.size = path.stat().st_size
        head = stream.read(4)
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = head[2:4] in (b"+\0", b"\0+")
        self._seen: set[int] = set()
        self.is_ndpi = not self._big and self._order == "<" and self._begins_as_ndpi()

    def _begins_as_ndpi(self) -> bool:
        """Whether the 64-bit offset that NDPI has in its head leads to a directory with NDPI's mark."""
        self._stream.seek(4)
        head = self._stream.read(8)
        offset = int.from_bytes(head, "little")
        if not 0 < offset < self.size:
            return False
        self._stream.seek(offset)
        count = int.from_bytes(self._stream.read(2), "little")
        entries = self._stream.read(12 * count)
        return any(entries[at : at + 2] == _NDPI_MARK.to_bytes(2, "little") for at in range(0, len(entries), 12))

    def directories(self) -> Iterator[RawDirectory]:
        """Tags of every directory of the main chain, and of their SubIFDs."""
        self._stream.seek(8 if self._big else 4)
        offset, number = self._read_offset(), 0
        while offset:
            self._enter(offset, "directories")
            raw, following = self._read_directory(offset, number, is_sub=False)
            yield raw
            yield from self._sub_directories(raw)
            offset, number = following, number + 1

    def _sub_directories(self, parent: RawDirectory) -> Iterator[RawDirectory]:
        pending = [int(offset) for offset in parent.all(SUB_IFDS)][::-1]
        while pending:
            offset = pending.pop()
            self._enter(offset, "SubIFDs")
            below, _ = self._read_directory(offset, parent.number, is_sub=True)
            yield below
            pending += [int(further) for further in below.all(SUB_IFDS)][::-1]

    def _enter(self, offset: int, kind: str) -> None:
        if offset in self._seen:
            raise SlideError(f"{self._path}: the TIFF's {kind} form a loop; {AGAIN}")
        if not 0 < offset < self.size or len(self._seen) >= MAX_DIRECTORIES:
            raise SlideError(f"{self._path}: the TIFF's {kind} point beyond the end of the file; {AGAIN}")
        self._seen.add(offset)

    def _read_offset(self) -> int:
        if not self.is_ndpi:
            return self._unpack("Q" if self._big else "I", self._stream.read(8 if self._big else 4))
        offset = self._unpack("Q", self._stream.read(8))
        return offset if offset < self.size else offset % _FOUR_GIB  # plain writers leave out the upper half

    def _unpack(self, code: str, data: bytes) -> int:
        return int(struct.unpack(self._order + code, data)[0])

    def _read_directory(self, offset: int, number: int, *, is_sub: bool) -> tuple[RawDirectory, int]:
        """One directory, and the offset of the next one in its chain."""
        self._stream.seek(offset)
        count = self._unpack("Q" if self._big else "H", self._stream.read(8 if self._big else 2))
        entry = 20 if self._big else 12
        if count * entry > self.size:
            raise ValueError("directory larger than the file")
        entries = self._stream.read(count * entry)
        following = 0 if is_sub else self._read_offset()
        above = self._high_words(count)
        tags: Tags = {}
        for index in range(count):
            field = entries[index * entry : (index + 1) * entry]
            code, kind = struct.unpack(self._order + "HH", field[:4])
            if (
                code in _WANTED
                and kind in _CODES
                and (values := self._values(code, kind, field[4:], above[index])) is not None
            ):
                tags[code] = values
        return RawDirectory(offset, number, is_sub, tags), following

    def _high_words(self, count: int) -> NDArray[np.integer]:
        """Upper 32 bits of each entry's value or offset: in NDPI they stand after the directory."""
        if not self.is_ndpi or self.size < _FOUR_GIB:
            return np.zeros(count, np.uint32)
        return np.frombuffer(self._stream.read(4 * count), "<u4", count)

    def _values(self, code: int, kind: int, field: bytes, above: int) -> NDArray[np.integer] | None:
        """Values of a tag (None: it has none and needs none)."""
        inline = 8 if self._big else 4
        count = self._unpack("Q" if self._big else "I", field[:-inline])
        dtype = np.dtype(self._order + _CODES[kind])
        if count == 0:
            if code in _NUMBERS - {SUB_IFDS}:
                raise SlideError(f"{self._path}: the TIFF's tag {code} has no value; {AGAIN}")
            return None
        length = count * dtype.itemsize
        if length > self.size:
            raise ValueError("tag larger than the file")
        high = int(above) << 32
        data = field[-inline:][:length]
        if length > inline:
            self._stream.seek(self._unpack("Q" if self._big else "I", field[-inline:]) + high)
            data = self._stream.read(length)
        values = np.frombuffer(data, dtype, count)
        return values.astype(np.int64) + high if count == 1 and length == inline and high else values
