"""Stage `tile`: a slide → tissue mask, ``tiles.parquet`` and pictures of both."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.names import MASK
from wsi_scale.artifacts.pictures import read_mask, read_unreadable, write_pictures
from wsi_scale.artifacts.prediction import DARK_BACKGROUND
from wsi_scale.artifacts.record import Record, check_artefact
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.tiles import NAME, TileGrid, TileTable, read_tiles, write_tiles
from wsi_scale.config.models import TilingConfig
from wsi_scale.config.settings import TileSettings
from wsi_scale.errors import ConfigError
from wsi_scale.report.overlay import draw_overlay, hatched
from wsi_scale.slides.grid import Grid, lay_grid, tissue_fractions
from wsi_scale.slides.metadata import SlideInfo, require_mpp
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.tissue import Thumbnail, read_mask_image, read_thumbnail, shows_brightfield, tissue_mask
from wsi_scale.stages.inspect import settled_info
from wsi_scale.stages.job import Outcome, Prepared, SlideJob, Stage, known_identity, run_stage

SPEC = SLIDE_STAGES["tile"]


def tile(job: SlideJob, settings: TileSettings) -> Record:
    """Find the tissue and lay the grid of tiles at an exact mpp."""
    estimate = settings.mpp == "estimate"

    def prepare(state: FolderState) -> Prepared:
        info = settled_info(job, estimate=estimate)
        mask = _mask_path(settings, job.row.slide_id)
        mpp = (*require_mpp(info), info.mpp_source)
        return Prepared(
            {"mpp": mpp, "mask": known_identity(state, mask) if mask else None},
            lambda print_: _lay_tiles(job, info, settings, print_),
        )

    return run_stage(job, Stage(SPEC, settings, prepare, None if estimate else ("inspect",)))


def _lay_tiles(job: SlideJob, info: SlideInfo, settings: TileSettings, print_: str) -> Outcome:
    grid = _grid(info, settings.tiling)
    with open_slide(job.row.path) as slide:
        thumbnail = read_thumbnail(slide, settings.thumbnail_px, settings.unreadable_share)
    stops = settings.brightfield_only and not shows_brightfield(thumbnail)
    mask = _mask(thumbnail, settings, job.row.slide_id)
    if stops:
        mask = np.zeros_like(mask)
    table = _table(info, settings.tiling, grid, mask, thumbnail)
    image, unreadable = thumbnail.image, thumbnail.unreadable
    shown = image if unreadable is None else hatched(image, unreadable)
    overlay = draw_overlay(shown, mask, _corners(table, grid, thumbnail))
    write_pictures(job.folder, shown, mask, overlay, unreadable)
    write_tiles(job.folder, table, print_)
    if stops:
        return Outcome("empty", f"{DARK_BACKGROUND} (slides.brightfield_only)")
    return _outcome(table, unreadable)


def _outcome(table: TileTable, unreadable: NDArray[np.bool_] | None) -> Outcome:
    if len(table):
        return Outcome()
    if table.grid.rows * table.grid.cols == 0:
        side = table.grid.tile_px * table.grid.mpp
        return Outcome(
            "empty",
            f"a tile ({side:.0f} µm) is larger than the slide; lower tiling.tile_px or set tiling.edge=pad",
        )
    gaps = "" if unreadable is None else f" ({unreadable.mean():.2%} of the slide cannot be read)"
    return Outcome("empty", f"no tissue found{gaps}")


def _grid(info: SlideInfo, tiling: TilingConfig) -> Grid:
    return lay_grid(
        info.width,
        info.height,
        require_mpp(info),
        tile_px=tiling.tile_px,
        mpp=tiling.mpp,
        overlap_px=tiling.overlap_px,
        edge=tiling.edge,
    )


def _mask_path(settings: TileSettings, slide_id: str) -> Path | None:
    if settings.mask is None:
        return None
    path = Path(settings.mask.replace("{slide_id}", slide_id))
    if not path.exists():
        raise ConfigError(f"tissue.mask: there is no {path}")
    return path


def _mask(thumbnail: Thumbnail, settings: TileSettings, slide_id: str) -> NDArray[np.bool_]:
    path = _mask_path(settings, slide_id)
    return read_mask_image(path, thumbnail) if path else tissue_mask(thumbnail, settings.method)


def _table(
    info: SlideInfo, tiling: TilingConfig, grid: Grid, mask: NDArray[np.bool_], thumbnail: Thumbnail
) -> TileTable:
    downsample = (thumbnail.downsample_x, thumbnail.downsample_y)
    fractions = tissue_fractions(grid, mask, downsample, (info.width, info.height))
    rows, cols = np.nonzero(fractions >= max(tiling.min_tissue, 1e-6))
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


def _corners(table: TileTable, grid: Grid, thumbnail: Thumbnail) -> NDArray[np.float64]:
    """(tile, 4): left, top, right, bottom in thumbnail pixels."""
    x, y = table.x.astype(float), table.y.astype(float)
    corners = np.stack([x, y, x + grid.tile_width, y + grid.tile_height], axis=1)
    scale = np.array([thumbnail.downsample_x, thumbnail.downsample_y] * 2)
    return np.asarray(corners / scale)


def read_current_tiles(job: SlideJob) -> TileTable:
    """Read a slide's tiles, checked to be those that `tile` left last.

    Raises
    ------
    ArtifactError
        Missing, damaged, or of another slide or other parameters.
    """
    tiles, _ = read_tiles(job.folder)
    check_artefact(job.folder, NAME)
    return tiles


def read_current_mask(job: SlideJob) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Read a slide's tissue mask, and where it cannot be decoded; checked as the tiles are.

    Raises
    ------
    ArtifactError
        Missing, damaged, or of another slide or other parameters.
    """
    mask, unreadable = read_mask(job.folder), read_unreadable(job.folder)
    check_artefact(job.folder, MASK)
    return mask, unreadable
