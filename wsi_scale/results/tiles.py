"""The tiles of a slide that hold tissue, and the grid they lie on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from wsi_scale.results.strict import STRICT


@dataclass(frozen=True)
class TileGrid:
    """The grid that tiles lie on.

    Attributes
    ----------
    rows, cols
        Tiles down and across, with or without tissue.
    tile_px, mpp
        Side of a tile in pixels at ``mpp`` µm per pixel.
    step_um
        Distance of neighbouring tiles, µm.
    slide_width, slide_height
        Level-0 pixels.
    mpp_x, mpp_y
        µm per level-0 pixel.
    mpp_source
        Where these come from.
    """

    __pydantic_config__ = STRICT

    rows: NonNegativeInt
    cols: NonNegativeInt
    tile_px: PositiveInt
    mpp: PositiveFloat
    step_um: PositiveFloat
    slide_width: PositiveInt
    slide_height: PositiveInt
    mpp_x: PositiveFloat
    mpp_y: PositiveFloat
    mpp_source: str


@dataclass(frozen=True)
class TileTable:
    """Tiles that hold tissue, one entry a tile, in order of row and col.

    Attributes
    ----------
    row, col
        Place on the grid.
    x, y
        Top left, level-0 pixels.
    tissue_fraction
        Share of the tile that is tissue, 0–1.
    """

    grid: TileGrid
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    tissue_fraction: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class TissueMask:
    """Where a slide holds tissue, at the scale of its thumbnail.

    Attributes
    ----------
    mask
        (row, col) True on tissue.
    unreadable
        (row, col) True where the slide cannot be decoded; None where all of it can.
    """

    mask: NDArray[np.bool_]
    unreadable: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Tiles:
    """The tiles of a slide, and what they were chosen by.

    Attributes
    ----------
    table
        The tiles that hold tissue, and their grid.
    tissue
        The tissue mask.
    thumbnail
        (row, col, rgb) the slide at the scale of the mask.
    reason
        Why there is no tile, one line; "" where there are some.
    """

    table: TileTable
    tissue: TissueMask
    thumbnail: NDArray[np.uint8]
    reason: str

    def __len__(self) -> int:
        return len(self.table)
