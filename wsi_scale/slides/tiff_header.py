"""A walk along a TIFF's directories that trusts nothing, before any library opens the file.

Libraries follow the chain of directories (IFDs) as they find it: one that loops is followed for ever, and a
header may claim sizes that no memory holds. This walk reads only offsets and a few tags.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wsi_scale.errors import SlideError

#: A directory chain longer than this is taken for damage.
MAX_DIRECTORIES = 100_000

#: Decoding one strip or tile must not take more bytes than this.
MAX_SEGMENT_BYTES = 1 << 30

#: No compression known reaches this many pixels per byte of file; a header that claims more is wrong.
MAX_PIXELS_PER_BYTE = 500_000

_FIRST_BYTES = 8
_TYPE_SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
_INTEGER_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

WIDTH, LENGTH, BITS, COMPRESSION = 256, 257, 258, 259
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS = 322, 323, 324, 325, 330
_WANTED = frozenset({
    WIDTH, LENGTH, BITS, COMPRESSION, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR,
    TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS,
})  # fmt: skip


@dataclass(frozen=True)
class TiffHeader:
    """What the walk found out.

    Parameters
    ----------
    bits
        Bits per sample of the first directory.
    has_sub_directories
        Whether any directory has SubIFDs (pyramids that OpenSlide does not see).
    """

    bits: int
    has_sub_directories: bool


class _Layout:
    """Byte order and field sizes of one file."""

    def __init__(self, path: Path, head: bytes) -> None:
        self.order = "<" if head[:2] == b"II" else ">"
        self.big = struct.unpack(self.order + "H", head[2:4])[0] == 43
        # Hamamatsu writes classic TIFF whose chain has 64-bit offsets.
        self.wide_chain = self.big or path.suffix.lower() == ".ndpi"
        self.count = "Q" if self.big else "H"
        self.inline = 8 if self.big else 4

    def unpack(self, code: str, data: bytes) -> int:
        return int(struct.unpack(self.order + code, data)[0])


def is_tiff(path: Path) -> bool:
    """Whether a file starts like a classic or Big TIFF."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_tiff(path: Path) -> TiffHeader:
    """Follow a TIFF's directories and check what they claim against the file.

    Raises
    ------
    SlideError
        If the directories form a loop, the file ends before its data, or the sizes claimed do not fit the
        strips and tiles that are there.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            layout = _Layout(path, stream.read(_FIRST_BYTES))
            directories = list(_walk(path, stream, layout, size))
        except (struct.error, OverflowError, MemoryError) as error:
            raise SlideError(f"{path}: the TIFF ends within a directory; {_AGAIN}") from error
    if not directories:
        raise SlideError(f"{path}: the TIFF holds no image; {_AGAIN}")
    for index, tags in enumerate(directories):
        if index == 0 or WIDTH in tags:
            _check_claims(path, tags, size)
    return TiffHeader(
        bits=max(directories[0].get(BITS, [1])),
        has_sub_directories=any(SUB_IFDS in tags for tags in directories),
    )


_AGAIN = "the file is damaged, copy or export it again"
_Tags = dict[int, list[int]]


def _walk(path: Path, stream: BinaryIO, layout: _Layout, size: int) -> Iterator[_Tags]:
    """Tags of every directory of the main chain, and of their SubIFDs."""
    stream.seek(8 if layout.big else 4)
    offset = _read_offset(stream, layout)
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise SlideError(f"{path}: the TIFF's directories form a loop; {_AGAIN}")
        if offset >= size or len(seen) >= MAX_DIRECTORIES:
            raise SlideError(f"{path}: the TIFF's directories lead out of the file; {_AGAIN}")
        seen.add(offset)
        tags = _read_directory(stream, layout, offset, size)
        following = _read_offset(stream, layout)
        yield tags
        yield from _sub_directories(path, stream, layout, size, tags, (offset,))
        offset = following


def _sub_directories(
    path: Path, stream: BinaryIO, layout: _Layout, size: int, tags: _Tags, parents: tuple[int, ...]
) -> Iterator[_Tags]:
    for offset in tags.get(SUB_IFDS, []):
        if offset in parents or len(parents) > 8:
            raise SlideError(f"{path}: the TIFF's SubIFDs form a loop; {_AGAIN}")
        if not 0 < offset < size:
            raise SlideError(f"{path}: the TIFF's SubIFDs lead out of the file; {_AGAIN}")
        below = _read_directory(stream, layout, offset, size)
        yield below
        yield from _sub_directories(path, stream, layout, size, below, (*parents, offset))


def _read_offset(stream: BinaryIO, layout: _Layout) -> int:
    code, length = ("Q", 8) if layout.wide_chain else ("I", 4)
    return layout.unpack(code, stream.read(length))


def _read_directory(stream: BinaryIO, layout: _Layout, offset: int, size: int) -> _Tags:
    """Integer values of the wanted tags; leaves the stream at the offset of the next directory."""
    stream.seek(offset)
    count = layout.unpack(layout.count, stream.read(struct.calcsize("=" + layout.count)))
    entry = 20 if layout.big else 12
    if count * entry > size:
        raise struct.error("directory larger than the file")
    entries = stream.read(count * entry)
    end = stream.tell()
    tags: _Tags = {}
    for start in range(0, count * entry, entry):
        code, kind = struct.unpack(layout.order + "HH", entries[start : start + 4])
        if code in _WANTED and kind in _INTEGER_CODES:
            tags[code] = _read_values(stream, layout, kind, entries[start + 4 : start + entry], size)
    stream.seek(end)
    return tags


def _read_values(stream: BinaryIO, layout: _Layout, kind: int, field: bytes, size: int) -> list[int]:
    count = layout.unpack("Q" if layout.big else "I", field[: -layout.inline])
    length = count * _TYPE_SIZES[kind]
    if length > size:
        raise struct.error("tag larger than the file")
    data = field[-layout.inline :][:length]
    if length > layout.inline:
        stream.seek(layout.unpack("Q" if layout.big else "I", field[-layout.inline :]))
        data = stream.read(length)
    return list(struct.unpack(f"{layout.order}{count}{_INTEGER_CODES[kind]}", data))


def _check_claims(path: Path, tags: _Tags, size: int) -> None:
    """Compare the sizes one directory claims with the strips or tiles it lists."""
    width, height = tags.get(WIDTH, [0])[0], tags.get(LENGTH, [0])[0]
    samples = tags.get(SAMPLES, [1])[0]
    if TILE_WIDTH in tags:
        offsets = tags.get(TILE_OFFSETS, tags.get(STRIP_OFFSETS, []))
        counts = tags.get(TILE_COUNTS, tags.get(STRIP_COUNTS, []))
        columns, rows = tags.get(TILE_WIDTH, [0])[0], tags.get(TILE_LENGTH, [0])[0]
    else:
        offsets, counts = tags.get(STRIP_OFFSETS, []), tags.get(STRIP_COUNTS, [])
        columns, rows = width, min(tags.get(ROWS_PER_STRIP, [height])[0], height)
    if min(width, height, columns, rows) < 1:
        raise SlideError(f"{path}: the TIFF's header claims {width}x{height} px; {_AGAIN}")
    planes = samples if tags.get(PLANAR, [1])[0] == 2 else 1
    expected = -(-width // columns) * -(-height // rows) * planes
    segment_bytes = columns * rows * (samples // planes) * max(tags.get(BITS, [1])) // 8
    claim = f"{path}: the TIFF's header claims {width}x{height} px"
    if len(offsets) < expected or width * height > MAX_PIXELS_PER_BYTE * size:
        raise SlideError(f"{claim}, but the file holds far less; {_AGAIN}")
    # NDPI keeps a level in one strip with marks inside from which OpenSlide can start decoding.
    whole_only = tags.get(COMPRESSION, [1])[0] != 1 and path.suffix.lower() != ".ndpi"
    if whole_only and segment_bytes > MAX_SEGMENT_BYTES:
        raise SlideError(
            f"{claim} in pieces of {segment_bytes / 1e9:.0f} GB that can only be decoded whole; "
            "convert it to a tiled TIFF (for example: vips tiffsave --tile --pyramid)"
        )
    if any(start + length > size for start, length in zip(offsets, counts, strict=False)) and size < 1 << 32:
        raise SlideError(f"{path}: the file ends before its pixels do (truncated); {_AGAIN}")
