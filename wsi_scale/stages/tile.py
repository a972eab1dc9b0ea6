"""Stage `tile`: a slide → tissue mask, ``tiles.parquet`` and pictures of both."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.pictures import has_pictures, read_mask, read_unreadable, write_pictures
from wsi_scale.artifacts.prediction import DARK_BACKGROUND
from wsi_scale.artifacts.record import Record, read_record
from wsi_scale.artifacts.tiles import TileGrid, TileTable, read_tiles, tiles_fingerprint, write_tiles
from wsi_scale.config.models import Config, TissueConfig
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.report.overlay import draw_overlay, hatched
from wsi_scale.slides.grid import Grid, lay_grid, tissue_fractions
from wsi_scale.slides.metadata import SlideInfo, require_mpp
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.tissue import Thumbnail, read_mask_image, read_thumbnail, shows_brightfield, tissue_mask
from wsi_scale.stages.inspect import read_info
from wsi_scale.stages.job import Outcome, SlideJob, Stage, run_stage


def tile(job: SlideJob, config: Config) -> Record:
    """Find the tissue and lay the grid of tiles at an exact mpp."""

    def depends() -> str:
        info = read_info(job)
        mask = _mask_path(config.tissue, job.row.slide_id)
        return fingerprint(
            "tile",
            slide=job.identity(),
            mpp=(*require_mpp(info), info.mpp_source),
            tissue=config.tissue,
            mask=file_identity(mask) if mask else None,
            tiling=config.tiling,
            brightfield_only=config.slides.brightfield_only,
            unreadable_share=config.slides.unreadable_share,
        )

    def current(print_: str) -> Outcome | None:
        if tiles_fingerprint(job.folder) != print_ or not has_pictures(job.folder):
            return None
        try:
            read_mask(job.folder)
            table = read_tiles(job.folder)[0]
            # An empty table does not say whether it is for want of tissue or of brightfield.
            undecided = config.slides.brightfield_only and not len(table)
            return None if undecided else _outcome(table, read_unreadable(job.folder))
        except ArtifactError:  # damaged since: made anew
            return None

    def work(print_: str) -> Outcome:
        info = read_info(job)
        grid = _grid(info, config)
        with open_slide(job.row.path) as slide:
            thumbnail = read_thumbnail(slide, config.tissue.thumbnail_px, config.slides.unreadable_share)
        stops = config.slides.brightfield_only and not shows_brightfield(thumbnail)
        mask = _mask(thumbnail, config.tissue, job.row.slide_id)
        if stops:
            mask = np.zeros_like(mask)
        table = _table(info, config, grid, mask, thumbnail)
        image, unreadable = thumbnail.image, thumbnail.unreadable
        shown = image if unreadable is None else hatched(image, unreadable)
        overlay = draw_overlay(shown, mask, _corners(table, grid, thumbnail))
        write_pictures(job.folder, shown, mask, overlay, unreadable)
        write_tiles(job.folder, table, print_)
        if stops:
            return Outcome("empty", f"{DARK_BACKGROUND} (slides.brightfield_only)")
        return _outcome(table, unreadable)

    return run_stage(job, Stage("tile", ("inspect",), depends, current, work))


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


def _grid(info: SlideInfo, config: Config) -> Grid:
    return lay_grid(
        info.width,
        info.height,
        require_mpp(info),
        tile_px=config.tiling.tile_px,
        mpp=config.tiling.mpp,
        overlap_px=config.tiling.overlap_px,
        edge=config.tiling.edge,
    )


def _mask_path(config: TissueConfig, slide_id: str) -> Path | None:
    if config.mask is None:
        return None
    path = Path(config.mask.replace("{slide_id}", slide_id))
    if not path.exists():
        raise ConfigError(f"tissue.mask: there is no {path}")
    return path


def _mask(thumbnail: Thumbnail, config: TissueConfig, slide_id: str) -> NDArray[np.bool_]:
    path = _mask_path(config, slide_id)
    return read_mask_image(path, thumbnail) if path else tissue_mask(thumbnail, config.method)


def _table(info: SlideInfo, config: Config, grid: Grid, mask: NDArray[np.bool_], thumbnail: Thumbnail) -> TileTable:
    downsample = (thumbnail.downsample_x, thumbnail.downsample_y)
    fractions = tissue_fractions(grid, mask, downsample, (info.width, info.height))
    rows, cols = np.nonzero(fractions >= max(config.tiling.min_tissue, 1e-6))
    origins = np.array([grid.origin(int(r), int(c)) for r, c in zip(rows, cols, strict=True)], np.int64).reshape(-1, 2)
    mpp_x, mpp_y = require_mpp(info)
    described = TileGrid(
        grid.rows, grid.cols, grid.tile_px, grid.mpp,
        (config.tiling.tile_px - config.tiling.overlap_px) * config.tiling.mpp,
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


def read_current_tiles(job: SlideJob) -> tuple[TileTable, str]:
    """Read a slide's tiles, checked to be those that `tile` left for this slide.

    Raises
    ------
    ArtifactError
        Missing, or of another slide or other parameters.
    """
    read_info(job)
    table, print_ = read_tiles(job.folder)
    record = read_record(job.folder, "tile")
    if record is None or record.fingerprint != print_:
        raise ArtifactError(
            f"{job.folder}/tiles.parquet is of another slide or other parameters; run `wsi-scale tile` again"
        )
    return table, print_
