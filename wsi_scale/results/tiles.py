"""The tiles of a slide that hold tissue, and the grid they lie on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from wsi_scale.results.html import facts_html, picture_html
from wsi_scale.results.regions import Region
from wsi_scale.results.strict import STRICT

if TYPE_CHECKING:
    import pandas as pd

#: Columns of a table of tiles.
COLUMNS = ("row", "col", "x", "y", "tissue_fraction")
#: Its columns of text, if the user gave regions.
REGION_COLUMNS = ("region", "region_class")


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

    @property
    def tile_size(self) -> tuple[float, float]:
        """(width, height) of a tile, level-0 pixels."""
        side_um = self.tile_px * self.mpp
        return side_um / self.mpp_x, side_um / self.mpp_y


@dataclass(frozen=True, eq=False)
class TileTable:
    """Tiles that hold tissue, one entry for each, in order of row and col.

    Attributes
    ----------
    row, col
        Place on the grid.
    x, y
        Top left, level-0 pixels.
    tissue_fraction
        Share of the tile that is tissue, 0–1; of the regions, if there are any.
    region, region_class
        Name and class of the user's region that most of the tile lies in; None if no regions were given.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> table = ws.tile_slide(np.full((600, 900, 3), 200, np.uint8), slide_mpp=0.5, method="none", tile_px=400).table
    >>> table.grid.rows, table.grid.cols, table.x.tolist(), table.y.tolist()
    (1, 2, [0, 400], [0, 0])
    """

    grid: TileGrid
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    tissue_fraction: NDArray[np.float32]
    region: NDArray[np.str_] | None = None
    region_class: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.row)

    def regions(self) -> dict[str, NDArray[np.str_]]:
        """Name and class of each tile's region, by column; empty without regions."""
        found = {name: getattr(self, name) for name in REGION_COLUMNS}
        return {name: values for name, values in found.items() if values is not None}

    def names(self) -> list[str]:
        """Name of each tile in tables: its row and column on the grid."""
        return [f"{row}_{col}" for row, col in zip(self.row.tolist(), self.col.tolist(), strict=True)]

    def centers(self) -> NDArray[np.float64]:
        """(tile, 2) x and y of each tile's centre, level-0 pixels."""
        return np.stack([self.x, self.y], axis=1) + np.array(self.grid.tile_size) / 2

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row a tile: row, col, x, y (top left, level-0 pixels), tissue_fraction and region, if known."""
        import pandas as pd

        return pd.DataFrame({name: getattr(self, name) for name in COLUMNS} | self.regions())


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Tissue mask of a slide, at the scale of its thumbnail.

    Attributes
    ----------
    mask
        (row, col) True on tissue.
    unreadable
        (row, col) True where the slide cannot be decoded; None where all of it can.
    """

    mask: NDArray[np.bool_]
    unreadable: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class Tiles:
    """The tiles of a slide, with tissue mask and thumbnail.

    Attributes
    ----------
    table
        The tiles that hold tissue, and their grid.
    tissue
        The tissue mask.
    thumbnail
        (row, col, rgb) the slide at the scale of the mask.
    min_tissue
        Least share of a tile that must be tissue.
    reason
        Why there is no tile, one line; "" where there are some.
    slide_identity
        Digest of the content of the slide that they lie on.
    regions
        The user's regions, in the order of their file.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> ws.tile_slide(np.full((600, 900, 3), 200, np.uint8), slide_mpp=0.5, method="none", tile_px=400)
    Tiles(2 of 1 × 2 places, 400 px at 0.5 µm/px)
    """

    table: TileTable
    tissue: TissueMask
    thumbnail: NDArray[np.uint8]
    min_tissue: float
    reason: str
    slide_identity: str
    regions: tuple[Region, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row a tile: row, col, x, y (top left, level-0 pixels) and tissue_fraction."""
        return self.table.to_dataframe()

    def __repr__(self) -> str:
        return f"Tiles({self._said()})"

    def _repr_html_(self) -> str:
        grid = self.table.grid
        facts = {
            "tiles": len(self),
            "grid": f"{grid.rows} × {grid.cols}",
            "tile": f"{grid.tile_px} px at {grid.mpp:g} µm/px",
        } | ({"reason": self.reason} if self.reason else {})
        return facts_html("Tiles", facts, picture_html(self._marked(), "the slide, tissue as it is and the rest pale"))

    def _said(self) -> str:
        grid = self.table.grid
        ending = f"; {self.reason}" if self.reason else ""
        return f"{len(self)} of {grid.rows} × {grid.cols} places, {grid.tile_px} px at {grid.mpp:g} µm/px{ending}"

    def _marked(self) -> NDArray[np.uint8]:
        """(row, col, rgb) the thumbnail, pale where there is no tissue."""
        pale = (self.thumbnail.astype(np.uint16) + 510) // 3
        return np.where(self.tissue.mask[..., None], self.thumbnail, pale).astype(np.uint8)
