"""The order of tiles in blocks: blocks are neighbours, and what is near the top of the slide comes first."""

import math

import numpy as np
from numpy.typing import NDArray

#: Rows and columns of a square of the grid, whose tiles are in one block or in blocks that follow one another.
SIDE = 8


def neighbouring(rows: NDArray[np.integer], cols: NDArray[np.integer], size: int) -> list[NDArray[np.int64]]:
    """Put tiles into blocks of neighbours.

    Tiles are taken band after band of eight rows of the grid, in it square after square of eight columns.

    Parameters
    ----------
    rows, cols
        (tile,) places on the grid.
    size
        Most tiles of a block. Blocks are alike in size and even in number, so that two workers end together.

    Returns
    -------
    list of ndarray
        Numbers of the tiles of each block.

    Examples
    --------
    >>> rows, cols = np.divmod(np.arange(4 * 16), 16)
    >>> [(rows[b].max(), cols[b].min(), cols[b].max()) for b in neighbouring(rows, cols, 32)]
    [(np.int64(3), np.int64(0), np.int64(7)), (np.int64(3), np.int64(8), np.int64(15))]
    """
    order = np.lexsort((cols, rows, cols // SIDE, rows // SIDE))
    count = min(len(order), 2 * math.ceil(len(order) / (2 * size)))
    return np.array_split(order, count) if count else []
