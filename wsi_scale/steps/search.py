"""Tiles → response curves over a ladder of scales → scale map (Penkin et al. 2022; docs/science.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.config.settings import SearchSettings
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import work_sizes
from wsi_scale.execution.settled import parameters_of
from wsi_scale.learning.calibrations import ladder_of
from wsi_scale.results.scale_map import CHANNELS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid, TileTable, TissueMask
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.published import SIGNED_SCALES, published_sizes, signed_to_factor
from wsi_scale.slides.grid import Grid, tissue_fractions
from wsi_scale.steps.blocks import BlockRun
from wsi_scale.steps.dense import Sharing, is_dense, squares
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.order import neighbouring
from wsi_scale.steps.search_block import BlockAnswer, SearchBlock, SearchPlan, search_block
from wsi_scale.steps.unreadable import UnreadableTiles

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

#: Rungs up to this much finer than level 0 are interpolated; finer ones have no answer.
MAX_INTERPOLATION = 2.0

#: Channels of the map that blocks answer with.
_SEARCHED = ("optimal_mpp", "confidence", "finest_mpp", "dominant_radius_um")


def search_network(settings: SearchSettings) -> "Network":
    """Load the configured network, cut after the deepest layer that the search reads.

    Raises
    ------
    WeightsError, ConfigError
        The network, its weights or a layer cannot be found.
    """
    # torch is loaded where it is needed: a slide that failed before costs nothing here.
    from wsi_scale.networks.load import find_network, search_layers

    source = find_network(settings.network, settings.weights)
    return source.tapped(search_layers(source, settings.search.method, settings.search.layers))


@dataclass(frozen=True)
class SearchedTiles:
    """What a search runs on.

    Attributes
    ----------
    slide
        The slide.
    table
        Its tiles.
    tissue
        Its tissue mask.
    min_tissue
        Least share of a tile that must be tissue.
    """

    slide: SlideSource
    table: TileTable
    tissue: TissueMask
    min_tissue: float


def search_tiles(
    on: SearchedTiles, network: "Network", settings: SearchSettings, calibration: Calibration | None, run: BlockRun
) -> ScaleMap:
    """Search all tiles, block by block, and put the results on the grid.

    Parameters
    ----------
    network
        As :func:`search_network` loads it.
    calibration
        Of the network; None for the published search.

    Raises
    ------
    RegionError
        More tiles cannot be decoded than the settings allow.
    ConfigError
        Tiles are too small for the published search.
    """
    plan = _plan(on.slide, on.table.grid, network, settings, calibration)
    rows, cols = on.table.row, on.table.col
    numbers = squares(rows, cols) if plan.shared else neighbouring(rows, cols, plan.block_tiles)
    answers = run.answers(search_block, [_block(plan, on.table, tiles) for tiles in numbers])
    found = _together(on, settings, plan, zip(numbers, answers, strict=True))
    attributes = {
        "method": plan.method,
        "ladder": "adaptive" if plan.adaptive else "full",
        "network": network.name,
        "network_digest": network.digest,
        "layers": [layer.name for layer in network.layers],
        "execution": parameters_of(settings.execution),
    }
    if plan.calibration is not None:
        attributes["optimal_mpp_per_um"] = 2.0**plan.calibration.log2_k
    mpp = 2.0 ** np.array(plan.log2_mpp)
    interpolated = mpp < min(on.table.grid.mpp_x, on.table.grid.mpp_y) * (1 - 1e-9)
    image, reason, curves = _lay(on, found)
    return ScaleMap(on.table.grid, image, reason, curves, mpp, interpolated, attributes)


def _plan(
    slide: SlideSource,
    grid: TileGrid,
    network: "Network",
    settings: SearchSettings,
    calibration: Calibration | None,
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
        ladder = ladder_of(field_um, network, settings.search)
        finest = max(grid.mpp_x, grid.mpp_y) / MAX_INTERPOLATION
        rungs = tuple(r.size_px if r.mpp >= finest * (1 - 1e-9) else None for r in ladder.rungs)
        mpps = ladder.mpps
    channels = None if calibration is None else calibration.channels
    inputs = NetworkInput.of(network, settings, channels)
    adaptive = settings.search.ladder == "adaptive" and calibration is not None
    block_tiles = work_sizes(settings.execution, inputs.compute.device).block_tiles
    return SearchPlan(
        slide, inputs, settings.search.method, None if calibration is None else calibration.narrowed(), adaptive,
        block_tiles, _sharing(grid, network, inputs.channels), grid.tile_px, grid.mpp, field_um / grid.mpp_x,
        field_um / grid.mpp_y, rungs, tuple(float(v) for v in np.log2(mpps)),
    )  # fmt: skip


def _sharing(grid: TileGrid, network: "Network", channels: tuple[tuple[str, tuple[int, ...]], ...]) -> Sharing | None:
    """How tiles share a pass, if they overlap by half or more and the reach of the network's layers is known."""
    if not channels or not is_dense(grid) or network.context_px is None:
        return None
    return Sharing((grid.step_um / grid.mpp_x, grid.step_um / grid.mpp_y), network.context_px, network.stride)


def _block(plan: SearchPlan, tiles: TileTable, numbers: NDArray[np.int64]) -> SearchBlock:
    corners, places = (
        tuple((int(x[tile]), int(y[tile])) for tile in numbers) for x, y in ((tiles.x, tiles.y), (tiles.col, tiles.row))
    )
    return SearchBlock(plan, corners, places)


def _together(
    on: SearchedTiles,
    settings: SearchSettings,
    plan: SearchPlan,
    answers: Iterable[tuple[NDArray[np.int64], BlockAnswer]],
) -> BlockAnswer:
    """Collect the answers of blocks, as they come, in the order of the tiles."""
    unreadable = UnreadableTiles(on.slide.path, on.table, settings.unreadable_share)
    count = len(on.table)
    optimal, confidence, finest, radius = np.full((len(_SEARCHED), count), np.nan)
    found = BlockAnswer(optimal, confidence, finest, radius, np.zeros(count, np.uint8), {}, ())
    for numbers, answer in answers:
        unreadable.add(numbers, answer.problems)
        for name in (*_SEARCHED, "reason"):
            getattr(found, name)[numbers] = getattr(answer, name)
        for layer, curve in answer.curves.items():
            if layer not in found.curves:
                found.curves[layer] = np.full((count, len(plan.rungs)), np.nan)
            found.curves[layer][numbers] = curve
    return found


def _lay(
    on: SearchedTiles, found: BlockAnswer
) -> tuple[NDArray[np.float32], NDArray[np.uint8], dict[str, NDArray[np.float32]]]:
    """Put the results of all tiles on the grid: image, reasons and curves of a scale map."""
    grid, places = on.table.grid, (on.table.row, on.table.col)
    image = np.full((len(CHANNELS), grid.rows, grid.cols), np.nan, np.float32)
    image[CHANNELS.index("tissue_fraction")], reason = _places(on)
    for channel in _SEARCHED:
        image[CHANNELS.index(channel)][places] = getattr(found, channel)
    reason[places] = found.reason
    curves = {}
    for layer, curve in found.curves.items():
        curves[layer] = np.full((grid.rows, grid.cols, curve.shape[1]), np.nan, np.float32)
        curves[layer][places] = curve
    return image, reason, curves


def _places(on: SearchedTiles) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Tissue fraction of every place on the grid, with or without a tile, and why it has no answer without one."""
    grid, tissue = on.table.grid, on.tissue
    laid = Grid(
        grid.tile_px, grid.mpp, grid.rows, grid.cols, grid.step_um / grid.mpp_x, grid.step_um / grid.mpp_y,
        grid.tile_px * grid.mpp / grid.mpp_x, grid.tile_px * grid.mpp / grid.mpp_y,
    )  # fmt: skip
    size = (grid.slide_width, grid.slide_height)
    downsample = (size[0] / tissue.mask.shape[1], size[1] / tissue.mask.shape[0])
    reason = np.full((grid.rows, grid.cols), Reason.GLASS, np.uint8)
    if tissue.unreadable is not None:  # what cannot be seen is not known to be glass
        perhaps = tissue_fractions(laid, tissue.mask | tissue.unreadable, downsample, size)
        reason[perhaps >= on.min_tissue] = Reason.UNREADABLE
    return tissue_fractions(laid, tissue.mask, downsample, size), reason
