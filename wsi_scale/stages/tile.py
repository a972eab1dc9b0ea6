"""Stage `tile`: a slide → tissue mask, ``tiles.parquet``, pictures of both, and the user's regions."""

from pathlib import Path

from wsi_scale.artifacts.pictures import write_pictures
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.regions import write_regions
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
from wsi_scale.slides.regions import read_regions
from wsi_scale.steps.tile import thumbnail_corners, tile_slide

SPEC = SLIDE_STAGES["tile"]


def tile(job: SlideJob, settings: TileSettings) -> Record:
    """Find the tissue and place the grid of tiles at an exact mpp."""
    estimate = settings.mpp == "estimate"

    def prepare(state: FolderState) -> Prepared:
        info = settled_info(job, estimate=estimate)
        drawn = {
            name: _own_file(f"tissue.{name}", pattern, job.row.slide_id)
            for name, pattern in (("mask", settings.mask), ("regions", settings.regions))
        }
        mpp = (*require_mpp(info), info.mpp_source)

        def work(print_: str) -> Outcome:
            with open_slide(job.row.path) as slide:
                found = tile_slide(slide, info, settings, drawn["mask"], drawn["regions"])
            count_work(found.tissue.mask.size, "pixels")
            _write(job.folder, found, print_)
            return Outcome("empty" if found.reason else "ok", found.reason)

        known = {name: known_identity(state, path) if path else None for name, path in drawn.items()}
        regions = known.pop("regions")
        # Without regions, results of earlier versions are what this one writes; with them, these had no outlines.
        return Prepared({"mpp": mpp, **known, **({"outlines": regions} if regions else {})}, work)

    return run_stage(job, Stage(SPEC, settings, prepare, None if estimate else ("inspect",)))


def check_own_files(slide_id: str, settings: TileSettings) -> None:
    """Read the user's own files for a slide, so that what is wrong with them is told before any work.

    Raises
    ------
    UserError
        The mask or the regions are not there, or the regions cannot be read.
    """
    _own_file("tissue.mask", settings.mask, slide_id)
    regions = _own_file("tissue.regions", settings.regions, slide_id)
    if regions is not None:
        read_regions(regions)


def _own_file(key: str, pattern: str | None, slide_id: str) -> Path | None:
    """Find the user's own file for a slide."""
    if pattern is None:
        return None
    path = Path(pattern.replace("{slide_id}", slide_id))
    if not path.exists():
        raise ConfigError(f"{key}: there is no {path}")
    return path


def _write(folder: Path, found: Tiles, print_: str) -> None:
    tissue = found.tissue
    shown = found.thumbnail if tissue.unreadable is None else hatched(found.thumbnail, tissue.unreadable)
    write_pictures(
        folder,
        shown,
        tissue.mask,
        draw_overlay(shown, tissue.mask, thumbnail_corners(found.table, tissue.mask.shape)),
        tissue.unreadable,
    )
    write_regions(folder, found.regions)
    write_tiles(folder, found.table, print_)
