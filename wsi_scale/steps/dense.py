"""Overlapping tiles in one pass of their neighbourhood: each rung once a block, and a mean over each tile's window.

The network sees the tissue around each tile, where a tile by itself is surrounded by padding. The margin of context is
the reach of the deepest layer, so what lies beyond, and which tiles share a block, changes nothing.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.tiles import TileGrid
from wsi_scale.slides.field import Field
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.steps.climb import At
from wsi_scale.steps.pixels import to_device

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network
    from wsi_scale.slides.slide import Slide

#: Rows and columns of the grid that share a pass.
SIDE = 16


def is_dense(grid: TileGrid) -> bool:
    """Whether tiles overlap by half or more."""
    return grid.step_um <= grid.tile_px * grid.mpp / 2 * (1 + 1e-9)


def squares(rows: NDArray[np.integer], cols: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Put tiles into the squares of the grid that share a pass.

    Returns
    -------
    list of ndarray
        Numbers of the tiles of each square, from the top to the bottom of the slide.
    """
    square = np.stack([rows // SIDE, cols // SIDE], axis=1)
    _, number = np.unique(square, axis=0, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number.ravel()[order])) + 1)


@dataclass(frozen=True)
class Lattice:
    """Overlapping tiles of a block, along both axes (x, y).

    Attributes
    ----------
    first
        Column and row of the first tile of the block.
    count
        Columns and rows of the block.
    step
        Level-0 pixels from one tile to the next.
    tile
        Side of a tile, level-0 pixels.
    """

    first: tuple[int, int]
    count: tuple[int, int]
    step: tuple[float, float]
    tile: tuple[float, float]

    @classmethod
    def of(cls, places: NDArray[np.integer], step: tuple[float, float], tile: tuple[float, float]) -> "Lattice":
        """Lay the lattice around tiles at ``places``, (tile, 2): column and row."""
        low, high = places.min(axis=0), places.max(axis=0)
        return cls((int(low[0]), int(low[1])), (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1), step, tile)


@dataclass(frozen=True)
class Sharing:
    """How overlapping tiles share a pass.

    Attributes
    ----------
    step
        Level-0 pixels from one tile to the next, (x, y).
    context
        Pixels of a rung that the deepest layer sees to each side of a tile.
    stride
        Of the deepest layer: images are multiples of it.
    """

    step: tuple[float, float]
    context: int
    stride: int


class DensePass:
    """Passes a block of overlapping tiles through a network, rung after rung.

    Parameters
    ----------
    slide
        An opened slide.
    lattice
        Where the tiles lie.
    sizes
        Side of a tile on each rung that will be asked for, pixels, coarse to fine.
    only
        Column and row in the block of a single tile that is passed with its context: it answers as within the block.
    """

    def __init__(
        self,
        slide: "Slide",
        lattice: Lattice,
        sizes: tuple[int, ...],
        sharing: Sharing,
        only: tuple[int, int] | None = None,
    ) -> None:
        self._lattice, self._sizes, self._sharing = lattice, sizes, sharing
        self._indices = tuple(range(count) for count in lattice.count) if only is None else tuple((i,) for i in only)
        self._pixels = FieldBlock(slide, [self._field(size) for size in sizes], keeps_levels=True)

    def hold(self, size: int) -> str:
        """Read what a rung needs; return why it cannot be decoded, or ""."""
        row = self._sizes.index(size)
        self._pixels.hold([row], self._extent(size))
        return self._pixels.problems[row]

    def responses(self, network: "Network", size: int, at: At) -> dict[str, NDArray[np.float32]]:
        """Pass the block at one rung, which can be decoded: layer → (row, col, channel)."""
        from wsi_scale.networks.forward import window_responses

        (image,) = self._pixels.read([self._sizes.index(size)], self._extent(size))
        across, down = (
            [index * self._step(axis, size) - self._start(axis, size) for index in self._indices[axis]]
            for axis in (0, 1)
        )
        return window_responses(network, to_device(image[None], at[1].device), at[0], (across, down), size)

    def _step(self, axis: int, size: int) -> float:
        """Pixels of a rung from one tile to the next."""
        return self._lattice.step[axis] * size / self._lattice.tile[axis]

    def _start(self, axis: int, size: int) -> int:
        """Where the image begins, pixels of a rung from the first tile's corner: a multiple of the stride."""
        stride = self._sharing.stride
        return math.floor(self._indices[axis][0] * self._step(axis, size) / stride) * stride - self._sharing.context

    def _extent(self, size: int) -> tuple[int, int]:
        """(width, height) of the image of a rung: tiles and their context."""
        stride = self._sharing.stride
        ends = (self._indices[axis][-1] * self._step(axis, size) + size - self._start(axis, size) for axis in (0, 1))
        width, height = (math.ceil(end / stride) * stride + self._sharing.context for end in ends)
        return width, height

    def _field(self, size: int) -> Field:
        """Where the image lies on the slide."""
        lattice = self._lattice
        scale = [tile / size for tile in lattice.tile]
        left, top = (lattice.first[a] * lattice.step[a] + self._start(a, size) * scale[a] for a in (0, 1))
        width, height = (pixels * each for pixels, each in zip(self._extent(size), scale, strict=True))
        return Field(left, top, width, height)
