"""Stage `search`: tiles → response curves → scale map."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.geojson import write_geojson
from wsi_scale.artifacts.names import TILES
from wsi_scale.artifacts.record import Record, check_artefact
from wsi_scale.artifacts.scale_map import NAME, Reason, ScaleMap, read_scale_map, write_scale_map
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.tiles import TileGrid, TileTable
from wsi_scale.config.models import SearchConfig, TilingConfig
from wsi_scale.config.settings import SearchSettings
from wsi_scale.errors import ConfigError
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.execution.compute import Compute, default_workers
from wsi_scale.execution.progress import progress
from wsi_scale.execution.worker import clear
from wsi_scale.scale.ladder import Ladder, geometric_ladder
from wsi_scale.scale.published import SIGNED_SCALES, published_sizes, signed_to_factor
from wsi_scale.slides.grid import lay_grid, tissue_fractions
from wsi_scale.stages.calibrate import calibration_for, read_for
from wsi_scale.stages.hardware import compute_of, parameters_of, settle
from wsi_scale.stages.inputs import CalibrationInput, NetworkInput, SlideInput
from wsi_scale.stages.job import Outcome, Prepared, SlideJob, Stage, run_stage
from wsi_scale.stages.known import check_known, known_network
from wsi_scale.stages.search_block import BlockAnswer, SearchBlock, SearchPlan, search_block
from wsi_scale.stages.tile import read_current_mask, read_current_tiles
from wsi_scale.stages.unreadable import UnreadableTiles, unreadable_note

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

SPEC = SLIDE_STAGES["search"]

#: Rungs up to this much finer than level 0 are interpolated; finer ones have no answer.
MAX_INTERPOLATION = 2.0


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
        network = known_network(state, settings.network, settings.weights, asked, lambda: _network(settings))
        settled = replace(settings, execution=settle(job, settings.execution, state))
        chosen = None if settings.search.method == "published" else calibration
        chosen = chosen or calibration_for(job, settings, network)

        def work(print_: str) -> Outcome:
            tiles = read_current_tiles(job)
            scale_map = search_tiles(job, tiles, settled, check_known(_network(settings), network), chosen, scheduler)
            write_geojson(job.folder, tiles, scale_map)
            write_scale_map(job.folder, scale_map, print_, settings.map.ome_zarr_version)
            return _outcome(tiles, scale_map)

        depends_on = {
            "tiles": check_artefact(job.folder, TILES).fingerprint,
            "network": (network.digest, network.structure, [layer.name for layer in network.layers]),
            "calibration": read_for(chosen, network)[1] if chosen else None,
            "execution": parameters_of(settled.execution),
        }
        return Prepared(depends_on, work)

    return run_stage(job, Stage(SPEC, settings, prepare))


def _outcome(tiles: TileTable, scale_map: ScaleMap) -> Outcome:
    unreadable = scale_map.reason == Reason.UNREADABLE
    count = int(unreadable[tiles.row, tiles.col].sum())
    return Outcome("ok", unreadable_note(count, len(tiles), int(unreadable.sum()) - count))


def search_tiles(
    job: SlideJob,
    tiles: TileTable,
    settings: SearchSettings,
    network: "Network",
    calibration: Path | None,
    scheduler: str | None,
) -> ScaleMap:
    """Search all tiles, block by block, and lay the answers on the grid."""
    compute = compute_of(settings.execution)
    plan = _plan(job.row.path, tiles.grid, network, settings, calibration, compute)
    blocks = list(_blocks(plan, tiles, settings.execution.block_tiles))
    workers = default_workers(settings.execution, compute)
    unreadable = UnreadableTiles(job.row.path, tiles, settings.unreadable_share)
    answers = []
    try:
        with progress(f"search {job.row.slide_id}", len(tiles)) as advance:
            for answer in map_blocks(
                search_block, blocks, workers=workers, scheduler=scheduler,
                on_done=lambda index: advance(len(blocks[index].corners)),
            ):  # fmt: skip
                unreadable.add(answer.problems)
                answers.append(answer)
    finally:
        clear()
    return _lay(job, tiles, plan, answers, network, settings)


def _network(settings: SearchSettings) -> "Network":
    # torch is loaded where it is needed: a slide that failed before costs nothing here.
    from wsi_scale.networks.load import find_network, search_layers

    source = find_network(settings.network, settings.weights)
    return source.tapped(search_layers(source, settings.search.method, settings.search.layers))


def tile_ladder(field_um: float, network: "Network", search: SearchConfig) -> Ladder:
    """Lay the ladder of a tile: the same mpp for every slide."""
    return geometric_ladder(
        field_um,
        finest_mpp=search.finest_mpp,
        coarsest_mpp=search.coarsest_mpp,
        rungs_per_octave=search.rungs_per_octave,
        multiple_px=network.stride,
        min_px=network.min_px,
    )


def _plan(
    slide: Path,
    grid: TileGrid,
    network: "Network",
    settings: SearchSettings,
    calibration: Path | None,
    compute: Compute,
) -> SearchPlan:
    field_um = grid.tile_px * grid.mpp
    rungs: tuple[int | None, ...]
    if settings.search.method == "published":
        rungs = published_sizes(grid.tile_px)
        if min(published_sizes(grid.tile_px)) < network.min_px:
            raise ConfigError(
                f"search.method=published shrinks tiles to {min(published_sizes(grid.tile_px))} px, and {network.name} "
                f"needs {network.min_px}; set tiling.tile_px to {3 * network.min_px + 3} or more"
            )
        mpps = tuple(grid.mpp / signed_to_factor(np.array(SIGNED_SCALES)))
    else:
        ladder = tile_ladder(field_um, network, settings.search)
        finest = max(grid.mpp_x, grid.mpp_y) / MAX_INTERPOLATION
        rungs = tuple(r.size_px if r.mpp >= finest * (1 - 1e-9) else None for r in ladder.rungs)
        mpps = ladder.mpps
    calibrated = CalibrationInput.of(calibration, network) if calibration else None
    return SearchPlan(
        SlideInput.of(slide), NetworkInput.of(network, settings, compute), settings.search.method, calibrated,
        grid.tile_px, grid.mpp, field_um / grid.mpp_x, field_um / grid.mpp_y, rungs,
        tuple(float(v) for v in np.log2(mpps)),
    )  # fmt: skip


def _blocks(plan: SearchPlan, tiles: TileTable, size: int) -> Iterator[SearchBlock]:
    corners = [(int(x), int(y)) for x, y in zip(tiles.x, tiles.y, strict=True)]
    for start in range(0, len(corners), size):
        yield SearchBlock(plan, tuple(corners[start : start + size]))


def _lay(
    job: SlideJob,
    tiles: TileTable,
    plan: SearchPlan,
    answers: Sequence[BlockAnswer],
    network: "Network",
    settings: SearchSettings,
) -> ScaleMap:
    grid = tiles.grid
    image = np.full((3, grid.rows, grid.cols), np.nan, np.float32)
    image[2], reason = _places(job, grid, settings.tiling)
    image[0, tiles.row, tiles.col] = np.concatenate([a.optimal_mpp for a in answers])
    image[1, tiles.row, tiles.col] = np.concatenate([a.confidence for a in answers])
    reason[tiles.row, tiles.col] = np.concatenate([a.reason for a in answers])
    curves = {}
    for layer in answers[0].curves:
        laid = np.full((grid.rows, grid.cols, len(plan.rungs)), np.nan, np.float32)
        laid[tiles.row, tiles.col] = np.concatenate([a.curves[layer] for a in answers])
        curves[layer] = laid
    mpp = 2.0 ** np.array(plan.log2_mpp)
    attributes = {
        "method": plan.method,
        "network": network.name,
        "network_digest": network.digest,
        "layers": [layer.name for layer in network.layers],
        "execution": parameters_of(settings.execution),
    }
    return ScaleMap(grid, image, reason, curves, mpp, mpp < min(grid.mpp_x, grid.mpp_y) * (1 - 1e-9), attributes)


def _places(job: SlideJob, grid: TileGrid, tiling: TilingConfig) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Tissue fraction of every place on the grid, with or without a tile, and why it has no answer without one."""
    mask, unreadable = read_current_mask(job)
    laid = lay_grid(
        grid.slide_width, grid.slide_height, (grid.mpp_x, grid.mpp_y), tile_px=grid.tile_px, mpp=grid.mpp,
        overlap_px=tiling.overlap_px, edge=tiling.edge,
    )  # fmt: skip
    size = (grid.slide_width, grid.slide_height)
    downsample = (size[0] / mask.shape[1], size[1] / mask.shape[0])
    reason = np.full((grid.rows, grid.cols), Reason.GLASS, np.uint8)
    if unreadable is not None:  # what cannot be seen is not known to be glass
        perhaps = tissue_fractions(laid, mask | unreadable, downsample, size)
        reason[perhaps >= tiling.min_tissue] = Reason.UNREADABLE
    return tissue_fractions(laid, mask, downsample, size), reason


def read_current_map(job: SlideJob) -> ScaleMap:
    """Read a slide's scale map, checked to be the one that `search` left last, of these tiles.

    Raises
    ------
    ArtifactError
        Missing, damaged, or of another slide or other parameters.
    """
    scale_map, _ = read_scale_map(job.folder)
    check_artefact(job.folder, NAME)
    return scale_map
