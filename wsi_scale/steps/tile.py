"""A slide → its tissue mask, and tiles at an exact µm per pixel where there is tissue."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.config.models import TilingConfig
from wsi_scale.config.settings import TileSettings
from wsi_scale.results.prediction import DARK_BACKGROUND
from wsi_scale.results.tiles import TileGrid, Tiles, TileTable, TissueMask
from wsi_scale.slides.grid import Grid, lay_grid, tissue_fractions
from wsi_scale.slides.metadata import SlideInfo, require_mpp
from wsi_scale.slides.regions import RegionMask, draw_regions, read_regions, regions_of_tiles
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import read_mask_image, read_thumbnail, shows_brightfield, tissue_mask

#: Less tissue than this is none, whatever ``tiling.min_tissue`` asks for.
LEAST_TISSUE = 1e-6


def tile_slide(
    slide: Slide,
    info: SlideInfo,
    settings: TileSettings,
    mask_file: Path | None = None,
    regions_file: Path | None = None,
) -> Tiles:
    """Find the tissue of a slide and lay the grid of tiles.

    Parameters
    ----------
    info
        Says how large a level-0 pixel is, and which slide it is.
    mask_file
        Image of the tissue, which then is not searched for.
    regions_file
        GeoJSON of outlined regions: only what lies within counts as tissue.

    Raises
    ------
    MppError
        The slide has no usable µm per pixel.
    SlideError
        The slide cannot be read.
    UserError
        The mask or the regions cannot be read.
    """
    grid = _grid(info, settings.tiling)
    thumbnail = read_thumbnail(slide, settings.thumbnail_px, settings.unreadable_share)
    mask = read_mask_image(mask_file, thumbnail) if mask_file else tissue_mask(thumbnail, settings.method)
    is_dark = settings.brightfield_only and not shows_brightfield(thumbnail)
    regions = None
    if regions_file is not None:
        regions = draw_regions(regions_file, read_regions(regions_file), thumbnail)
        mask = mask & (regions.number > 0)
    tissue = TissueMask(np.zeros_like(mask) if is_dark else mask, thumbnail.unreadable)
    table = _with_regions(_table(info, settings.tiling, grid, tissue.mask), regions, tissue.mask)
    reason = f"{DARK_BACKGROUND} (slides.brightfield_only)" if is_dark else _why_empty(table, tissue)
    outlines = regions.regions if regions else ()
    return Tiles(table, tissue, thumbnail.image, settings.tiling.min_tissue, reason, info.identity, outlines)


def _why_empty(table: TileTable, tissue: TissueMask) -> str:
    if len(table):
        return ""
    if table.grid.rows * table.grid.cols == 0:
        side = table.grid.tile_px * table.grid.mpp
        return f"a tile ({side:.0f} µm) is larger than the slide; lower tiling.tile_px or set tiling.edge=pad"
    unreadable = tissue.unreadable
    gaps = "" if unreadable is None else f" ({unreadable.mean():.2%} of the slide cannot be read)"
    where = "" if table.region is None else " in the regions (tissue.regions)"
    return f"no tissue found{where}{gaps}"


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


def _with_regions(table: TileTable, regions: RegionMask | None, tissue: NDArray[np.bool_]) -> TileTable:
    """Add the region of each tile."""
    if regions is None:
        return table
    name, label = regions_of_tiles(regions, thumbnail_corners(table, tissue.shape), tissue)
    return replace(table, region=name, region_class=label)


def thumbnail_corners(table: TileTable, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Place tiles on a thumbnail of (rows, cols) pixels: (tile, 4) left, top, right, bottom."""
    grid = table.grid
    width, height = grid.tile_size
    corners = np.stack([table.x, table.y, table.x + width, table.y + height], axis=1)
    return np.asarray(corners / np.array([grid.slide_width / shape[1], grid.slide_height / shape[0]] * 2))
