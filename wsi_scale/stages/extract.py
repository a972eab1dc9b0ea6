"""Stage `extract`: tiles (and their optimal mpp) → features at several magnifications."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.features import unreadable_tiles, writing_features
from wsi_scale.artifacts.names import SCALE_MAP, TILES
from wsi_scale.artifacts.record import Record, check_artefact
from wsi_scale.artifacts.scale_map import Reason
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.tiles import TileTable
from wsi_scale.config.settings import ExtractSettings
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.execution.compute import default_workers
from wsi_scale.execution.progress import progress
from wsi_scale.execution.worker import clear
from wsi_scale.slides.field import Field, padded_share, read_field
from wsi_scale.slides.slide import Slide
from wsi_scale.stages.hardware import compute_of, parameters_of, settle
from wsi_scale.stages.inputs import NetworkInput, SlideInput
from wsi_scale.stages.job import Outcome, Prepared, SlideJob, Stage, run_stage
from wsi_scale.stages.known import check_known, known_network
from wsi_scale.stages.search import read_current_map
from wsi_scale.stages.tile import read_current_tiles
from wsi_scale.stages.unreadable import UnreadableTiles, read_each, unreadable_note
from wsi_scale.units import MAX_UPSAMPLING

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

log = logging.getLogger(__name__)

SPEC = SLIDE_STAGES["extract"]


@dataclass(frozen=True)
class ExtractPlan:
    """Everything that a block needs besides its tiles."""

    slide: SlideInput
    network: NetworkInput
    tile_px: int
    mpps: tuple[float, ...]
    mpp_x: float
    mpp_y: float


@dataclass(frozen=True)
class ExtractBlock:
    """Some tiles of a plan: centres in level-0 pixels, optimal mpp (NaN without), what the search could not read."""

    plan: ExtractPlan
    centres: tuple[tuple[float, float], ...]
    optimal_mpp: tuple[float, ...]
    unreadable: tuple[bool, ...]


@dataclass(frozen=True)
class BlockFeatures:
    """Features of a block.

    Attributes
    ----------
    features, optimal, padded
        (tile, mpp, channel), (tile, channel), (tile, mpp).
    problems
        One a tile: why the smallest of its fields cannot be decoded, or "".
    """

    features: NDArray[np.float32]
    optimal: NDArray[np.float32]
    padded: NDArray[np.float32]
    problems: tuple[str, ...]


def extract(job: SlideJob, settings: ExtractSettings, scheduler: str | None = None) -> Record:
    """Average a layer over fields around each tile's centre, at fixed mpps and at the tile's own."""
    optimal = settings.features.optimal

    def prepare(state: FolderState) -> Prepared:
        asked = ("extract", settings.features.layer)
        network = known_network(state, settings.network, settings.weights, asked, lambda: _network(settings))
        settled = replace(settings, execution=settle(job, settings.execution, state))

        def work(print_: str) -> Outcome:
            tiles = read_current_tiles(job)
            _extract_tiles(job, tiles, settled, check_known(_network(settings), network), print_, scheduler)
            return Outcome("ok", unreadable_note(unreadable_tiles(job.folder), len(tiles)))

        depends_on = {
            "tiles": check_artefact(job.folder, TILES).fingerprint,
            "map": check_artefact(job.folder, SCALE_MAP).fingerprint if optimal else None,
            "network": (network.digest, network.structure, network.layers[0].name),
            "execution": parameters_of(settled.execution),
        }
        return Prepared(depends_on, work)

    return run_stage(job, Stage(SPEC, settings, prepare, None if optimal else ("inspect", "tile")))


def extract_block(block: ExtractBlock) -> BlockFeatures:
    """Read and pass the fields of a block's tiles; runs in a worker."""
    with block.plan.network.placed() as network, block.plan.slide.opened() as slide:
        return _features(block, network, slide)


def _features(block: ExtractBlock, network: "Network", slide: Slide) -> BlockFeatures:
    plan = block.plan
    channels = network.layers[0].channels
    count = len(block.centres)
    features = np.full((count, len(plan.mpps), channels), np.nan, np.float32)
    padded = np.full((count, len(plan.mpps)), np.nan, np.float32)
    problems: dict[float, tuple[str, ...]] = {}
    for index, mpp in enumerate(plan.mpps):
        if not _is_too_fine(mpp, plan):
            fields = [_field(centre, mpp, plan) for centre in block.centres]
            features[:, index], problems[mpp] = _respond(network, slide, fields, plan)
            padded[:, index] = [padded_share(slide, field) for field in fields]
    smallest = problems[min(problems)] if problems else ("",) * count
    return BlockFeatures(features, _at_optimum(network, slide, block, channels), padded, smallest)


def _at_optimum(network: "Network", slide: Slide, block: ExtractBlock, channels: int) -> NDArray[np.float32]:
    optimal = np.full((len(block.centres), channels), np.nan, np.float32)
    fields = {
        index: None if unreadable else _field(centre, mpp, block.plan)
        for index, (centre, mpp, unreadable) in enumerate(
            zip(block.centres, block.optimal_mpp, block.unreadable, strict=True)
        )
        if unreadable or (np.isfinite(mpp) and not _is_too_fine(mpp, block.plan))
    }
    if fields:
        optimal[list(fields)], _ = _respond(network, slide, list(fields.values()), block.plan)
    return optimal


def _respond(
    network: "Network", slide: Slide, fields: Sequence[Field | None], plan: ExtractPlan
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(tile, channel) answers, NaN for fields that cannot be decoded, and why not."""
    from wsi_scale.networks.forward import pooled_responses

    size = (plan.tile_px, plan.tile_px)
    blank = np.full((*size, 3), 255, np.uint8)
    images, problems = read_each(lambda field: read_field(slide, field, size), fields, blank)
    responses = pooled_responses(network, np.stack(images), plan.network.compute)[network.layers[0].name]
    unreadable = np.array([bool(problem) for problem in problems])
    return np.where(unreadable[:, None], np.float32(np.nan), responses), problems


def _field(centre: tuple[float, float], mpp: float, plan: ExtractPlan) -> Field:
    width, height = plan.tile_px * mpp / plan.mpp_x, plan.tile_px * mpp / plan.mpp_y
    return Field(centre[0] - width / 2, centre[1] - height / 2, width, height)


def _is_too_fine(mpp: float, plan: ExtractPlan) -> bool:
    return mpp * MAX_UPSAMPLING < max(plan.mpp_x, plan.mpp_y)


def _network(settings: ExtractSettings) -> "Network":
    # torch is loaded where it is needed: a slide that failed before costs nothing here.
    from wsi_scale.networks.load import find_network

    source = find_network(settings.network, settings.weights)
    return source.tapped([settings.features.layer or source.architecture.feature_layer])


def _extract_tiles(
    job: SlideJob, tiles: TileTable, settings: ExtractSettings, network: "Network", print_: str, scheduler: str | None
) -> None:
    compute = compute_of(settings.execution)
    grid = tiles.grid
    plan = ExtractPlan(
        SlideInput.of(job.row.path), NetworkInput.of(network, settings, compute),
        grid.tile_px, settings.features.mpps, grid.mpp_x, grid.mpp_y,
    )  # fmt: skip
    for mpp in plan.mpps:
        if _is_too_fine(mpp, plan):
            log.warning("%s: no features at %g µm/px, level 0 is %.4g", job.row.slide_id, mpp, grid.mpp_x)
    blocks = list(
        _blocks(plan, tiles, *_optimal(job, tiles, settings.features.optimal), settings.execution.block_tiles)
    )
    attributes = {
        "fingerprint": print_,
        "network": network.name,
        "network_digest": network.digest,
        "layer": network.layers[0].name,
        "tile_px": grid.tile_px,
        "mpp_source": grid.mpp_source,
        "execution": parameters_of(settings.execution),
    }
    workers = default_workers(settings.execution, compute)
    unreadable = UnreadableTiles(job.row.path, tiles, settings.unreadable_share)
    start = 0
    try:
        with (
            writing_features(
                job.folder, len(tiles), np.array(plan.mpps), network.layers[0].channels, attributes
            ) as writer,
            progress(f"extract {job.row.slide_id}", len(tiles)) as advance,
        ):
            answers = map_blocks(
                extract_block, blocks, workers=workers, scheduler=scheduler,
                on_done=lambda index: advance(len(blocks[index].centres)),
            )  # fmt: skip
            for answer in answers:
                unreadable.add(answer.problems)
                stop = start + len(answer.optimal)
                writer.put(slice(start, stop), answer.features, answer.optimal, answer.padded)
                start = stop
            if unreadable.count:
                writer.note_unreadable(unreadable.count)
    finally:
        clear()


def _optimal(job: SlideJob, tiles: TileTable, wanted: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(tile,) optimal mpp, NaN without, and whether the search could not read the tile."""
    if not wanted:
        return np.full(len(tiles), np.nan), np.zeros(len(tiles), np.bool_)
    scale_map = read_current_map(job)
    optimal = scale_map.channel("optimal_mpp")[tiles.row, tiles.col].astype(np.float64)
    return optimal, scale_map.reason[tiles.row, tiles.col] == Reason.UNREADABLE


def _blocks(
    plan: ExtractPlan, tiles: TileTable, optimal: NDArray[np.float64], unreadable: NDArray[np.bool_], size: int
) -> Iterator[ExtractBlock]:
    half_x, half_y = (plan.tile_px * tiles.grid.mpp / mpp / 2 for mpp in (plan.mpp_x, plan.mpp_y))
    centres = [(float(x) + half_x, float(y) + half_y) for x, y in zip(tiles.x, tiles.y, strict=True)]
    for start in range(0, len(centres), size):
        rows = slice(start, start + size)
        yield ExtractBlock(
            plan, tuple(centres[rows]), tuple(float(v) for v in optimal[rows]), tuple(map(bool, unreadable[rows]))
        )
