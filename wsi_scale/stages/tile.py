"""Stage `tile`: a slide → tissue mask, ``tiles.parquet`` and pictures of both."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.pictures import write_pictures
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.tiles import write_tiles
from wsi_scale.config.settings import TileSettings
from wsi_scale.errors import ConfigError
from wsi_scale.execution.progress import count_work
from wsi_scale.jobs.current import settled_info
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.runner import Outcome, Prepared, Stage, known_identity, run_stage
from wsi_scale.report.overlay import draw_overlay, hatched
from wsi_scale.results.tiles import Tiles
from wsi_scale.slides.metadata import require_mpp
from wsi_scale.slides.open import open_slide
from wsi_scale.steps.tile import tile_slide

SPEC = SLIDE_STAGES["tile"]


def tile(job: SlideJob, settings: TileSettings) -> Record:
    """Find the tissue and place the grid of tiles at an exact mpp."""
    estimate = settings.mpp == "estimate"

    def prepare(state: FolderState) -> Prepared:
        info = settled_info(job, estimate=estimate)
        mask = _mask_file(settings, job.row.slide_id)
        mpp = (*require_mpp(info), info.mpp_source)

        def work(print_: str) -> Outcome:
            with open_slide(job.row.path) as slide:
                found = tile_slide(slide, info, settings, mask)
            count_work(found.tissue.mask.size, "pixels")
            _write(job.folder, found, print_)
            return Outcome("empty" if found.reason else "ok", found.reason)

        return Prepared({"mpp": mpp, "mask": known_identity(state, mask) if mask else None}, work)

    return run_stage(job, Stage(SPEC, settings, prepare, None if estimate else ("inspect",)))


def _mask_file(settings: TileSettings, slide_id: str) -> Path | None:
    if settings.mask is None:
        return None
    path = Path(settings.mask.replace("{slide_id}", slide_id))
    if not path.exists():
        raise ConfigError(f"tissue.mask: there is no {path}")
    return path


def _write(folder: Path, found: Tiles, print_: str) -> None:
    tissue = found.tissue
    shown = found.thumbnail if tissue.unreadable is None else hatched(found.thumbnail, tissue.unreadable)
    write_pictures(folder, shown, tissue.mask, draw_overlay(shown, tissue.mask, _corners(found)), tissue.unreadable)
    write_tiles(folder, found.table, print_)


def _corners(found: Tiles) -> NDArray[np.float64]:
    """(tile, 4): left, top, right, bottom in thumbnail pixels."""
    table, grid = found.table, found.table.grid
    x, y = table.x.astype(float), table.y.astype(float)
    field_um = grid.tile_px * grid.mpp
    corners = np.stack([x, y, x + field_um / grid.mpp_x, y + field_um / grid.mpp_y], axis=1)
    rows, cols = found.tissue.mask.shape
    return np.asarray(corners / np.array([grid.slide_width / cols, grid.slide_height / rows] * 2))
