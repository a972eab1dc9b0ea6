"""A slide → its tissue mask, and tiles at an exact µm per pixel where there is tissue."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.config.models import TilingConfig
from wsi_scale.config.settings import TileSettings
from wsi_scale.results.prediction import DARK_BACKGROUND
from wsi_scale.results.tiles import TileGrid, Tiles, TileTable, TissueMask
from wsi_scale.slides.grid import Grid, lay_grid, tissue_fractions
from wsi_scale.slides.metadata import SlideInfo, require_mpp
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import read_mask_image, read_thumbnail, shows_brightfield, tissue_mask

#: Less tissue than this is none, whatever ``tiling.min_tissue`` asks for.
LEAST_TISSUE = 1e-6


def tile_slide(slide: Slide, info: SlideInfo, settings: TileSettings, mask_file: Path | None = None) -> Tiles:
    """Find the tissue of a slide and lay the grid of tiles.

    Parameters
    ----------
    info
        Says how large a level-0 pixel is, and which slide it is.
    mask_file
        Image of the tissue, which then is not searched for.

    Raises
    ------
    MppError
        The slide has no usable µm per pixel.
    SlideError
        The slide or the mask cannot be read.
    """
    grid = _grid(info, settings.tiling)
    thumbnail = read_thumbnail(slide, settings.thumbnail_px, settings.unreadable_share)
    mask = read_mask_image(mask_file, thumbnail) if mask_file else tissue_mask(thumbnail, settings.method)
    is_dark = settings.brightfield_only and not shows_brightfield(thumbnail)
    tissue = TissueMask(np.zeros_like(mask) if is_dark else mask, thumbnail.unreadable)
    table = _table(info, settings.tiling, grid, tissue.mask)
    reason = f"{DARK_BACKGROUND} (slides.brightfield_only)" if is_dark else _why_empty(table, tissue)
    return Tiles(table, tissue, thumbnail.image, settings.tiling.min_tissue, reason, info.identity)


def _why_empty(table: TileTable, tissue: TissueMask) -> str:
    if len(table):
        return ""
    if table.grid.rows * table.grid.cols == 0:
        side = table.grid.tile_px * table.grid.mpp
        return f"a tile ({side:.0f} µm) is larger than the slide; lower tiling.tile_px or set tiling.edge=pad"
    unreadable = tissue.unreadable
    gaps = "" if unreadable is None else f" ({unreadable.mean():.2%} of the slide cannot be read)"
    return f"no tissue found{gaps}"


def _grid(info: SlideInfo, tiling: TilingConfig) -> Grid:
    return lay_grid(
        (info.width, info.height),
        require_mpp(info),
        tile_px=tiling.tile_px,
        mpp=tiling.mpp,
        overlap_px=tiling.overlap_px,
        edge=tiling.edge,
    )


def _table(info: SlideInfo, tiling: TilingConfig, grid: Grid, mask: NDArray[np.bool_]) -> TileTable:
    downsample = (info.width / mask.shape[1], info.height / mask.shape[0])
    fractions = tissue_fractions(grid, mask, downsample, (info.width, info.height))
    rows, cols = np.nonzero(fractions >= max(tiling.min_tissue, LEAST_TISSUE))
    origins = np.array([grid.origin(int(r), int(c)) for r, c in zip(rows, cols, strict=True)], np.int64).reshape(-1, 2)
    mpp_x, mpp_y = require_mpp(info)
    described = TileGrid(
        grid.rows, grid.cols, grid.tile_px, grid.mpp,
        (tiling.tile_px - tiling.overlap_px) * tiling.mpp,
        info.width, info.height, mpp_x, mpp_y, info.mpp_source,
    )  # fmt: skip
    return TileTable(
        described,
        rows.astype(np.int32),
        cols.astype(np.int32),
        origins[:, 0],
        origins[:, 1],
        fractions[rows, cols],
    )
