"""The directories of a TIFF, checked against the file before any library opens it.

A header may claim sizes that no memory holds. The content of the directories, not the name of the file, decides which
library reads it.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import AGAIN
from wsi_scale.slides.tiff_walk import (
    BITS,
    COMPRESSION,
    DESCRIPTION,
    LENGTH,
    PHOTOMETRIC,
    PLANAR,
    ROWS_PER_STRIP,
    SAMPLE_FORMAT,
    SAMPLES,
    STRIP_COUNTS,
    STRIP_OFFSETS,
    SUBFILE,
    TILE_COUNTS,
    TILE_LENGTH,
    TILE_OFFSETS,
    TILE_WIDTH,
    WIDTH,
    RawDirectory,
    Walk,
)

#: Decoding one strip or tile must not take more bytes than this.
MAX_SEGMENT_BYTES = 1 << 30

#: Tiles larger than the image itself, as small images have them, have at most this many pixels.
_LARGE_TILE_PX = 1 << 22

#: No compression known reaches this many pixels per byte of file; a header that claims more is wrong.
MAX_PIXELS_PER_BYTE = 500_000


@dataclass(frozen=True, eq=False)
class TileTable:
    """Where the tiles of a directory lie in the file.

    Parameters
    ----------
    width, height
        Size of a tile in pixels.
    offsets, counts
        (plane, row, col) first byte and number of bytes of each; one plane, or one for each sample.
    """

    width: int
    height: int
    offsets: NDArray[np.integer]
    counts: NDArray[np.integer]


@dataclass(frozen=True)
class Directory:
    """One directory of a TIFF that describes an image.

    Parameters
    ----------
    offset
        Where it lies in the file, bytes.
    number
        Its place in the main chain, from 0; a SubIFD has that of the directory it hangs on.
    is_sub
        Whether it is a SubIFD.
    width, height
        Size in pixels.
    samples, bits, sample_format
        Samples per pixel, bits of the widest one, and what they are (1: unsigned integers).
    photometric, compression
        As TIFF numbers them.
    subfile
        NewSubfileType: bit 0 a reduced image, bit 2 a mask.
    tiled
        Whether it lies in tiles (else in strips).
    description
        ImageDescription, read as UTF-8 or else Latin-1.
    tiles
        Where its tiles lie; None for strips, or where not all are listed.
    """

    offset: int
    number: int
    is_sub: bool
    width: int
    height: int
    samples: int = 1
    bits: int = 8
    sample_format: int = 1
    photometric: int = 1
    compression: int = 1
    subfile: int = 0
    tiled: bool = False
    description: str = ""
    tiles: TileTable | None = field(default=None, compare=False)

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height


@dataclass(frozen=True)
class TiffHeader:
    """What the directories of a TIFF hold.

    Parameters
    ----------
    directories
        Every directory that describes an image, in the file's order, each followed by its SubIFDs.
    is_ndpi
        Whether it is Hamamatsu's variant, whose offsets have 64 bits.
    """

    directories: tuple[Directory, ...]
    is_ndpi: bool


def is_tiff(path: Path) -> bool:
    """Whether a file starts like a classic or Big TIFF."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_ndpi(path: Path) -> bool:
    """Whether a TIFF is Hamamatsu's variant, by its content: tifffile goes by the suffix unless it is told."""
    with path.open("rb") as stream:
        return Walk(path, stream).is_ndpi


def read_header(path: Path) -> TiffHeader:
    """Follow a TIFF's directories and check what they claim against the file.

    Raises
    ------
    SlideError
        If the directories form a loop, the file ends before its data, or the sizes claimed do not fit the
        strips and tiles that are there.
    """
    with path.open("rb") as stream:
        walk = Walk(path, stream)
        try:
            raw = list(walk.directories())
        except (struct.error, ValueError) as error:
            raise SlideError(f"{path}: the TIFF ends within a directory; {AGAIN}") from error
    if not raw:
        raise SlideError(f"{path}: the TIFF holds no image; {AGAIN}")
    pictures = [found for found in raw if found is raw[0] or WIDTH in found.tags]
    for found in pictures:
        _check_claims(path, found, walk.size, walk.is_ndpi)
    return TiffHeader(tuple(map(_directory, pictures)), walk.is_ndpi)


def _directory(raw: RawDirectory) -> Directory:
    return Directory(
        offset=raw.offset,
        number=raw.number,
        is_sub=raw.is_sub,
        width=raw.first(WIDTH, 0),
        height=raw.first(LENGTH, 0),
        samples=raw.first(SAMPLES, 1),
        bits=int(raw.all(BITS).max(initial=0)) or 1,
        sample_format=raw.first(SAMPLE_FORMAT, 1),
        photometric=raw.first(PHOTOMETRIC, 1),
        compression=raw.first(COMPRESSION, 1),
        subfile=raw.first(SUBFILE, 0),
        tiled=TILE_WIDTH in raw.tags,
        description=_text(raw.all(DESCRIPTION).tobytes()),
        tiles=_tile_table(raw) if TILE_WIDTH in raw.tags else None,
    )


def _tile_table(raw: RawDirectory) -> TileTable | None:
    width, height = raw.first(TILE_WIDTH, 0), raw.first(TILE_LENGTH, 0)
    planes = raw.first(SAMPLES, 1) if raw.first(PLANAR, 1) == 2 else 1
    grid = planes, -(-raw.first(LENGTH, 0) // height), -(-raw.first(WIDTH, 0) // width)
    expected = grid[0] * grid[1] * grid[2]
    offsets, counts = raw.all(TILE_OFFSETS, STRIP_OFFSETS), raw.all(TILE_COUNTS, STRIP_COUNTS)
    if min(len(offsets), len(counts)) < expected:
        return None
    return TileTable(width, height, offsets[:expected].reshape(grid), counts[:expected].reshape(grid))


def _text(data: bytes) -> str:
    data = data.partition(b"\0")[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _check_claims(path: Path, raw: RawDirectory, size: int, is_ndpi: bool) -> None:
    """Compare the sizes one directory claims with the strips or tiles it lists."""
    width, height = raw.first(WIDTH, 0), raw.first(LENGTH, 0)
    samples, planar = raw.first(SAMPLES, 1), raw.first(PLANAR, 1)
    offsets, counts = raw.all(STRIP_OFFSETS, TILE_OFFSETS), raw.all(STRIP_COUNTS, TILE_COUNTS)
    columns, rows = width, min(raw.first(ROWS_PER_STRIP, height), height)
    if TILE_WIDTH in raw.tags:
        offsets, counts = raw.all(TILE_OFFSETS, STRIP_OFFSETS), raw.all(TILE_COUNTS, STRIP_COUNTS)
        columns, rows = raw.first(TILE_WIDTH, 0), raw.first(TILE_LENGTH, 0)
    if min(width, height, columns, rows, samples) < 1 or planar not in (1, 2):
        raise SlideError(f"{path}: the TIFF's header claims {width}x{height} px; {AGAIN}")
    if columns * rows > max(_LARGE_TILE_PX, 4 * width * height):
        raise SlideError(f"{path}: the TIFF's header claims tiles of {columns}x{rows} px; {AGAIN}")
    planes = samples if planar == 2 else 1
    expected = -(-width // columns) * -(-height // rows) * planes
    segment_bytes = columns * rows * (samples // planes) * int(raw.all(BITS).max(initial=1)) // 8
    claim = f"{path}: the TIFF's header claims {width}x{height} px"
    if len(offsets) < expected or width * height > MAX_PIXELS_PER_BYTE * size:
        raise SlideError(f"{claim}, but the file holds far less; {AGAIN}")
    # NDPI keeps a level in one strip with marks inside from which decoding can start.
    whole_only = (raw.first(COMPRESSION, 1) != 1 or TILE_WIDTH in raw.tags) and not is_ndpi
    if whole_only and segment_bytes > MAX_SEGMENT_BYTES:
        raise SlideError(
            f"{claim} in pieces of {segment_bytes / 1e9:.1f} GB that can only be decoded whole; "
            "convert it to a tiled TIFF (for example: vips tiffsave --tile --pyramid)"
        )
    listed = min(len(offsets), len(counts))
    ends = offsets[:listed].astype(np.float64) + counts[:listed].astype(np.float64)
    if ends.max(initial=0) > size:
        raise SlideError(f"{path}: the file ends before its pixels do (truncated); {AGAIN}")
