"""Slides with a tile of their pixels damaged, for the tests of what cannot be read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

Wound = Callable[[bytes], bytes]


def wiped(data: bytes) -> bytes:
    """Return as many zeros, as a copy that was broken off leaves them."""
    return bytes(len(data))


def strewn(data: bytes) -> bytes:
    """Return as many bytes of something else."""
    return np.random.default_rng(len(data)).bytes(len(data))


def cut(data: bytes) -> bytes:
    """Zero the second half."""
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def hole(data: bytes) -> bytes:
    """Zero a fifth in the middle."""
    start, stop = 2 * len(data) // 5, 3 * len(data) // 5
    return data[:start] + bytes(stop - start) + data[stop:]


def bit(data: bytes) -> bytes:
    """Flip one bit behind the first tenth."""
    place = int(np.random.default_rng(len(data)).integers(len(data) // 10, len(data)))
    return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


def damage(path: Path, *, level: int = 0, tile: int = 0, wound: Wound = wiped) -> tuple[int, int, int, int]:
    """Damage the data of one tile of one level of a TIFF.

    Returns
    -------
    x, y, width, height
        What the tile covers, in pixels of its level.
    """
    with tifffile.TiffFile(path) as file:
        page = file.series[0].levels[level].keyframe if file.series[0].is_pyramidal else file.pages[level]
        offset, length = page.dataoffsets[tile], page.databytecounts[tile]
        width, height = page.tilewidth, page.tilelength
        row, column = divmod(tile, -(-page.imagewidth // width))
    content = bytearray(path.read_bytes())
    content[offset : offset + length] = wound(bytes(content[offset : offset + length]))
    path.write_bytes(content)
    return column * width, row * height, width, height
