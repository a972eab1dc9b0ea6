"""A grid of square tiles at an exact µm per pixel, and how much tissue each tile holds."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import MppError
from wsi_scale.slides.field import Field
from wsi_scale.units import MAX_UPSAMPLING

#: Rounding of positions (in steps) that neither adds nor drops a row or column.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Grid:
    """Tiles in rows and columns, the first at the slide's top-left corner.

    Parameters
    ----------
    tile_px
        Side of a tile in pixels at ``mpp``.
    mpp
        µm per pixel of the tiles.
    rows, cols
        Number of rows and columns (0 where no tile fits).
    step_x, step_y
        Distance between neighbours in level-0 pixels.
    tile_width, tile_height
        Size of a tile in level-0 pixels.
    """

    tile_px: int
    mpp: float
    rows: int
    cols: int
    step_x: float
    step_y: float
    tile_width: float
    tile_height: float

    def origin(self, row: int, col: int) -> tuple[int, int]:
        """Top-left corner (x, y) of a tile in level-0 pixels, rounded down."""
        return math.floor(col * self.step_x + _ROUNDING), math.floor(row * self.step_y + _ROUNDING)

    def field(self, row: int, col: int) -> Field:
        """Return the field that a tile covers, not rounded."""
        return Field(col * self.step_x, row * self.step_y, self.tile_width, self.tile_height)


def lay_grid(
    size: tuple[int, int],
    mpp_xy: tuple[float, float],
    *,
    tile_px: int,
    mpp: float,
    overlap_px: int,
    edge: Literal["drop", "pad"],
) -> Grid:
    """Place a grid of tiles on a slide.

    Parameters
    ----------
    size
        (width, height) of level 0 in pixels.
    mpp_xy
        µm per pixel of level 0 along x and y.
    tile_px
        Side of a tile in pixels at ``mpp``.
    mpp
        µm per pixel of the tiles.
    overlap_px
        Pixels at ``mpp`` that neighbours share; less than ``tile_px``.
    edge
        ``drop``: only tiles that lie wholly on the slide (none on a slide smaller than a tile);
        ``pad``: as many as cover the slide, the last ones reaching over its edge.

    Returns
    -------
    Grid
        Rows and cols are both 0 if no tile fits.

    Raises
    ------
    MppError
        If ``mpp`` is finer than level 0 by more than ``units.MAX_UPSAMPLING``.
    ValueError
        If the overlap is negative or not smaller than the tile.

    Examples
    --------
    >>> grid = lay_grid((1000, 500), (0.25, 0.25), tile_px=100, mpp=0.5, overlap_px=0, edge="drop")
    >>> (grid.rows, grid.cols), grid.origin(1, 4)
    ((2, 5), (800, 200))
    """
    if not 0 <= overlap_px < tile_px:
        raise ValueError(f"overlap_px must lie between 0 and tile_px - 1, not {overlap_px}")
    coarsest = max(mpp_xy)
    if mpp * MAX_UPSAMPLING < coarsest:
        raise MppError(f"level 0 is {coarsest:.3g} µm/px; set tiling.mpp to {coarsest:.3g} or more")
    tile_width, tile_height = tile_px * mpp / mpp_xy[0], tile_px * mpp / mpp_xy[1]
    step_x, step_y = (tile_px - overlap_px) * mpp / mpp_xy[0], (tile_px - overlap_px) * mpp / mpp_xy[1]
    cols, rows = _count(size[0], tile_width, step_x, edge), _count(size[1], tile_height, step_y, edge)
    if not rows or not cols:
        rows = cols = 0
    return Grid(tile_px, mpp, rows, cols, step_x, step_y, tile_width, tile_height)


def _count(length: int, tile: float, step: float, edge: Literal["drop", "pad"]) -> int:
    """Tiles along one axis."""
    steps = (length - tile) / step
    if edge == "drop":
        return max(0, math.floor(steps + _ROUNDING) + 1)
    return max(0, math.ceil(steps - _ROUNDING)) + 1


def tissue_fractions(
    grid: Grid,
    mask: NDArray[np.bool_],
    thumbnail_downsample_xy: tuple[float, float],
    slide_size: tuple[int, int],
) -> NDArray[np.float32]:
    """Share of each tile's area that is tissue.

    Parameters
    ----------
    grid
        The tiles.
    mask
        (h, w) tissue mask of the slide's thumbnail.
    thumbnail_downsample_xy
        Level-0 pixels per pixel of the mask along x and y.
    slide_size
        (width, height) of level 0; what lies outside is no tissue.

    Returns
    -------
    ndarray
        (rows, cols) float32, exact for a mask whose pixels are rectangles.
    """
    if not grid.rows or not grid.cols:
        return np.zeros((grid.rows, grid.cols), np.float32)
    scale_x, scale_y = thumbnail_downsample_xy
    integral = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.float64)
    integral[1:, 1:] = mask.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    lefts = np.arange(grid.cols, dtype=np.float64) * grid.step_x
    tops = np.arange(grid.rows, dtype=np.float64) * grid.step_y
    columns = _between(integral.T, lefts, grid.tile_width, scale_x, slide_size[0]).T
    sums = _between(columns, tops, grid.tile_height, scale_y, slide_size[1])
    area = (grid.tile_width / scale_x) * (grid.tile_height / scale_y)
    return np.clip(sums / area, 0.0, 1.0).astype(np.float32)


def _between(
    integral: NDArray[np.float64], starts: NDArray[np.float64], length: float, scale: float, limit: int
) -> NDArray[np.float64]:
    """Sum along the first axis from each start over ``length`` (level-0 px, clipped to the slide)."""
    ends = np.minimum(starts + length, limit)
    return _interpolated(integral, ends / scale) - _interpolated(integral, np.minimum(starts, limit) / scale)


def _interpolated(integral: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of an integral image at fractional places (it is linear between whole ones)."""
    inside = np.clip(places, 0, integral.shape[0] - 1)
    below = np.minimum(inside.astype(np.intp), integral.shape[0] - 2)
    share = (inside - below)[:, np.newaxis]
    result: NDArray[np.float64] = integral[below] * (1 - share) + integral[below + 1] * share
    return result
