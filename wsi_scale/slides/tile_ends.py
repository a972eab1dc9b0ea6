"""Whether the data of a TIFF's tiles are complete: OpenSlide does not check it.

OpenSlide fills in missing parts of a tile without an error. An interrupted copy loses the end of a tile more often
than its start: JPEG and JPEG 2000 have a mark there, deflate a checksum.
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np

from wsi_scale.slides.codestream import END
from wsi_scale.slides.tiff_header import Directory, TileTable

#: JPEG and Aperio's two kinds of JPEG 2000, and the two numbers of deflate.
_MARKED, _DEFLATED = (7, 33003, 33005), (8, 32946)

#: The end is looked for in so many last bytes first: most writers add nothing behind it.
_TAIL_BYTES = 64
#: No sound tile takes more than twice its pixels' bytes and this, compressed or not.
_SPARE_BYTES = 1 << 16

_UNKNOWN, _WHOLE, _CUT = 0, 1, 2


class TileEnds:
    """Finds tiles of a TIFF whose data end too early; each tile is checked once, when it is first needed.

    Safe among threads.

    Parameters
    ----------
    path
        The file; it stays open.
    directories
        As ``read_header`` gives them. Of several in the main chain that have one size none is checked: which of them
        is a level cannot be told.
    """

    def __init__(self, path: Path, directories: Sequence[Directory]) -> None:
        tiled = [(found, found.tiles) for found in directories if found.tiles is not None and not found.is_sub]
        count = Counter((found.width, found.height) for found, _ in tiled)
        self._levels = {
            (found.width, found.height): _LevelEnds(found, tiles)
            for found, tiles in tiled
            if found.compression in _MARKED + _DEFLATED and count[found.width, found.height] == 1
        }
        self._stream = path.open("rb", buffering=0)

    def check(self, size: tuple[int, int], x: float, y: float, width: float, height: float) -> None:
        """Make sure that every tile that a box touches is whole, or was left out by the writer.

        Parameters
        ----------
        size
            (width, height) of the level; one that no directory has passes.
        x, y, width, height
            The box, in the level's pixels; it may reach beyond the level.

        Raises
        ------
        ValueError
            One is not; the message says where it lies.
        OSError
            The file cannot be read.
        """
        level = self._levels.get(size)
        if level is not None:
            level.check(self._stream.fileno(), x, y, width, height)

    def close(self) -> None:
        """Release the file."""
        self._stream.close()


class _LevelEnds:
    """What is known so far of the tiles of one directory."""

    def __init__(self, directory: Directory, tiles: TileTable) -> None:
        self._tiles, self._deflated = tiles, directory.compression in _DEFLATED
        pixel_bytes = directory.samples * -(-directory.bits // 8)
        self._most_bytes = 2 * tiles.width * tiles.height * pixel_bytes + _SPARE_BYTES
        self._states = np.full(tiles.offsets.shape, _UNKNOWN, np.uint8)

    def check(self, file: int, x: float, y: float, width: float, height: float) -> None:
        tiles = self._tiles
        row, column = max(0, math.floor(y / tiles.height)), max(0, math.floor(x / tiles.width))
        below, beyond = math.ceil((y + height) / tiles.height), math.ceil((x + width) / tiles.width)
        states = self._states[:, row:below, column:beyond]
        for plane, down, across in np.argwhere(states == _UNKNOWN).tolist():
            whole = self._is_whole(file, (plane, row + down, column + across))
            states[plane, down, across] = _WHOLE if whole else _CUT
        cut = np.argwhere(states == _CUT)
        if len(cut):
            _, down, across = cut[0].tolist()
            place = f"x={(column + across) * tiles.width} y={(row + down) * tiles.height}"
            raise ValueError(f"the data of the tile at {place} end before its pixels do, or differ from their checksum")

    def _is_whole(self, file: int, index: tuple[int, int, int]) -> bool:
        offset, count = int(self._tiles.offsets[index]), int(self._tiles.counts[index])
        if offset <= 0 or count <= 0:  # left out
            return True
        if self._deflated:
            return _inflates(os.pread(file, min(count, self._most_bytes), offset), self._most_bytes)
        tail = min(count, _TAIL_BYTES)
        if END in os.pread(file, tail, offset + count - tail):
            return True
        return END in os.pread(file, min(count, self._most_bytes), offset)


def _inflates(data: bytes, most_bytes: int) -> bool:
    """Whether deflated data reach their end, within so many bytes, and have the checksum that stands there."""
    try:
        imagecodecs.deflate_decode(data, out=most_bytes)
    except imagecodecs.DeflateError:
        return False
    return True
