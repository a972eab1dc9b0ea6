"""Stage `search`: tiles → response curves → scale map."""

from dataclasses import replace
from pathlib import Path

from wsi_scale.artifacts.geojson import write_geojson
from wsi_scale.artifacts.names import CALIBRATION, SCALE_MAP, TILES
from wsi_scale.artifacts.progress import FinishedBlocks
from wsi_scale.artifacts.record import Record, check_artefact
from wsi_scale.artifacts.scale_map import write_scale_map
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.config.settings import SearchSettings
from wsi_scale.execution.settled import parameters_of
from wsi_scale.jobs.current import current_tiles, current_tissue
from wsi_scale.jobs.hardware import settle
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.known_network import known_network
from wsi_scale.jobs.runner import Outcome, Prepared, Stage, run_stage
from wsi_scale.jobs.staging import slide_input
from wsi_scale.learning.calibrations import calibration_for, read_for
from wsi_scale.networks.known import check_known
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.results.tiles import TileTable
from wsi_scale.steps.blocks import BlockRun
from wsi_scale.steps.search import SearchedTiles, search_network, search_tiles
from wsi_scale.steps.search_block import BlockAnswer
from wsi_scale.steps.unreadable import unreadable_note

SPEC = SLIDE_STAGES["search"]


def search(
    job: SlideJob, settings: SearchSettings, calibration: Path | None = None, scheduler: str | None = None
) -> Record:
    """Run the scale search on a slide's tiles and write its scale map.

    Parameters
    ----------
    calibration
        Calibration of the network; by default it is found or made. The published search needs none.
    scheduler
        Address of a ``dask.distributed`` scheduler; by default blocks run on threads.
    """

    def prepare(state: FolderState) -> Prepared:
        asked = ("search", settings.search.method, *(settings.search.layers or ()))
        network = known_network(state, settings.network, settings.weights, asked, lambda: search_network(settings))
        settled = replace(settings, execution=settle(job, settings.execution, state))
        chosen = None if settings.search.method == "published" else calibration
        chosen = chosen or calibration_for(settings, network, job.folder / CALIBRATION)
        calibrated, calibration_print = read_for(chosen, network) if chosen else (None, None)

        def work(print_: str) -> Outcome:
            tiles = current_tiles(job)
            slide = slide_input(job, job.identity(state), settings, scheduler)
            on = SearchedTiles(slide, tiles, current_tissue(job), settings.tiling.min_tissue)
            loaded = check_known(search_network(settings), network)
            finished = FinishedBlocks(job.folder / SCALE_MAP, print_, BlockAnswer)
            run = BlockRun(f"search {job.row.slide_id}", settled.execution, scheduler, finished)
            scale_map = search_tiles(on, loaded, settled, calibrated, run)
            write_geojson(job.folder, tiles, scale_map)
            write_scale_map(job.folder, scale_map, print_, settings.map.ome_zarr_version)
            finished.remove()
            return _outcome(tiles, scale_map)

        depends_on = {
            "tiles": check_artefact(job.folder, TILES).fingerprint,
            "network": (network.digest, network.structure, [layer.name for layer in network.layers]),
            "calibration": calibration_print,
            "execution": parameters_of(settled.execution),
        }
        return Prepared(depends_on, work)

    return run_stage(job, Stage(SPEC, settings, prepare))


def _outcome(tiles: TileTable, scale_map: ScaleMap) -> Outcome:
    unreadable = scale_map.reason == Reason.UNREADABLE
    count = int(unreadable[tiles.row, tiles.col].sum())
    return Outcome("ok", unreadable_note(count, len(tiles), int(unreadable.sum()) - count))
