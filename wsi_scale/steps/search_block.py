"""A block of tiles in a worker: read, responded to and estimated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.compute import Compute
from wsi_scale.execution.turns import Place, turn
from wsi_scale.results.scale_map import Reason
from wsi_scale.scale.adaptive import COARSEST_MPP, Estimate, estimate_so_far, search_adaptive
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.published import search_published
from wsi_scale.slides.field import Field, resize_square
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.pixels import pixels_on, to_device

if TYPE_CHECKING:
    import torch

    from wsi_scale.networks.network import Network
    from wsi_scale.slides.slide import Slide

#: Numbers of tiles, side in pixels → images, (tile, row, col, rgb) uint8 on the device.
Images = Callable[[Sequence[int], int], "torch.Tensor"]


@dataclass(frozen=True)
class SearchPlan:
    """Everything that a block needs besides its tiles; pickles to a few kilobytes.

    Attributes
    ----------
    slide, network
        By path or name, and by their content as the run knows it: opened and loaded once per worker.
    calibration
        Of the channels that the network answers with; None for the published search.
    adaptive
        Whether tiles leave before the finest rung.
    block_tiles
        Tiles of a full block.
    tile_width, tile_height
        Level-0 pixels.
    rungs
        Side of each rung's image; None where the slide holds no such detail.
    log2_mpp
        (rung,).
    """

    slide: SlideSource
    network: NetworkInput
    method: Literal["covariant", "published"]
    calibration: Calibration | None
    adaptive: bool
    block_tiles: int
    tile_px: int
    tile_mpp: float
    tile_width: float
    tile_height: float
    rungs: tuple[int | None, ...]
    log2_mpp: tuple[float, ...]

    @property
    def sizes_read(self) -> tuple[int, ...]:
        """Sides at which tiles are read from the slide, coarse to fine."""
        if self.method == "published":
            return (self.tile_px,)
        return tuple(size for size in reversed(self.rungs) if size is not None)


@dataclass(frozen=True)
class SearchBlock:
    """Some tiles of a plan: top left corners, level-0 pixels."""

    plan: SearchPlan
    corners: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.corners)


@dataclass(frozen=True)
class BlockAnswer:
    """Answers of a block.

    Attributes
    ----------
    optimal_mpp, confidence
        (tile,); NaN without an answer.
    finest_mpp
        (tile,) µm per pixel of the finest rung that was computed; NaN where nothing was.
    reason
        (tile,) uint8, a ``Reason`` each.
    curves
        Layer → (tile, rung).
    problems
        One a tile: why it cannot be decoded, or "".
    """

    optimal_mpp: NDArray[np.float64]
    confidence: NDArray[np.float64]
    finest_mpp: NDArray[np.float64]
    reason: NDArray[np.uint8]
    curves: dict[str, NDArray[np.float64]]
    problems: tuple[str, ...]


def search_block(block: SearchBlock) -> BlockAnswer:
    """Read, respond and estimate the tiles of a block; runs in a worker."""
    plan = block.plan
    fields = [Field(x, y, plan.tile_width, plan.tile_height) for x, y in block.corners]
    with plan.slide.opened() as slide:
        block_pixels = _read_ahead(plan, slide, fields)
        with turn(plan.network.compute) as (compute, place), plan.network.placed(compute) as network:
            climbed = _Climb(plan, network, compute, block_pixels).through(_images(plan, block_pixels, place))
    problems = tuple(block_pixels.problems)
    if plan.method == "published":
        return _answer_published(climbed, plan, problems)
    return _answer_covariant(climbed, plan, problems)


def _read_ahead(plan: SearchPlan, slide: "Slide", fields: Sequence[Field]) -> FieldBlock:
    """Prepare a block's pixels; for a GPU all that its rungs need is read before its turn."""
    if plan.network.compute.device == "cpu":
        return FieldBlock(slide, fields)
    pixels = FieldBlock(slide, fields, keeps_levels=True)
    for size in plan.sizes_read:
        pixels.hold(range(len(fields)), (size, size))
    return pixels


@dataclass(frozen=True)
class _Climbed:
    """Responses of a block's tiles on the rungs that they reached.

    Attributes
    ----------
    responses
        Layer → (tile, channel, rung), float32; NaN where nothing was computed.
    left
        (tile,) whether a tile left before the finest rung.
    log2_finest
        (tile,) log2 mpp of the finest rung that it reached; NaN if none.
    """

    responses: Mapping[str, NDArray[np.float32]]
    left: NDArray[np.bool_]
    log2_finest: NDArray[np.float64]


@dataclass(frozen=True)
class _Climb:
    """A block's way through the rungs of a ladder."""

    plan: SearchPlan
    network: "Network"
    compute: Compute
    pixels: FieldBlock

    def through(self, images: Images) -> _Climbed:
        """Pass tiles through the network rung after rung, from the coarsest to finer ones, until they leave."""
        plan, found = self.plan, self._nothing()
        readable = [rung for rung, size in enumerate(plan.rungs) if size is not None]
        active = np.arange(len(self.pixels.problems))
        depth = np.full(len(active), len(self.network.depths))
        for rung in reversed(readable):
            active = self._pass(found, rung, active, depth, images)
            if not len(active):
                break
            if rung != readable[0] and _may_leave(plan, rung):
                so_far = _estimate(plan, found, active)
                found.left[active[so_far.settled]] = True
                depth[active] = np.minimum(depth[active], so_far.layers_needed)
                active = active[~so_far.settled]
        return found

    def _nothing(self) -> _Climbed:
        tiles, rungs = len(self.pixels.problems), len(self.plan.rungs)
        layers = self.network.layers
        responses = {layer.name: np.full((tiles, layer.channels, rungs), np.nan, np.float32) for layer in layers}
        return _Climbed(responses, np.zeros(tiles, np.bool_), np.full(tiles, np.nan))

    def _pass(
        self, found: _Climbed, rung: int, active: NDArray[np.int64], depth: NDArray[np.int64], images: Images
    ) -> NDArray[np.int64]:
        """Pass the active tiles at one rung, each as deep as it needs; return those that could be decoded."""
        from wsi_scale.networks.forward import block_responses

        size = self.plan.rungs[rung] or 0
        side = self.plan.tile_px if self.plan.method == "published" else size
        active = np.array(self.pixels.hold(active.tolist(), (side, side)), np.int64)
        for layers in np.unique(depth[active]).tolist():
            tiles = active[depth[active] == layers]
            network = self.network.depths[layers - 1]
            answers = block_responses(network, images(tiles.tolist(), size), self.compute, self.plan.block_tiles)
            for name, values in answers.items():
                found.responses[name][tiles, :, rung] = values
            found.log2_finest[tiles] = self.plan.log2_mpp[rung]
        return active


def _may_leave(plan: SearchPlan, rung: int) -> bool:
    """Whether tiles and layers may leave after a rung."""
    return plan.adaptive and 2 ** plan.log2_mpp[rung] <= COARSEST_MPP * (1 + 1e-6)


def _estimate(plan: SearchPlan, climbed: _Climbed, active: NDArray[np.int64]) -> Estimate:
    """Estimate the active tiles from the rungs so far."""
    if plan.calibration is None:
        raise ValueError("only a calibrated search can be left")
    responses = {name: values[active] for name, values in climbed.responses.items()}
    return estimate_so_far(responses, np.array(plan.log2_mpp), plan.calibration)


def _images(plan: SearchPlan, pixels: FieldBlock, place: Place) -> Images:
    """Give the images of tiles at the side of a rung."""
    if plan.method == "covariant":
        return pixels_on(pixels, place).images

    def shrunk(rows: Sequence[int], size: int) -> "torch.Tensor":
        tiles = pixels.read(rows, (plan.tile_px, plan.tile_px))
        return to_device(np.stack([resize_square(tile, size) for tile in tiles]), place.device)

    return shrunk


def _answer_published(climbed: _Climbed, plan: SearchPlan, problems: tuple[str, ...]) -> BlockAnswer:
    answer = search_published(climbed.responses)
    voting = np.mean([np.isfinite(vote) for vote in answer.votes.values()], axis=0)
    optimal = plan.tile_mpp / answer.scale
    return _answer(climbed, (optimal, voting, answer.beyond_ladder), answer.curves, problems)


def _answer_covariant(climbed: _Climbed, plan: SearchPlan, problems: tuple[str, ...]) -> BlockAnswer:
    if plan.calibration is None:
        raise ValueError("the covariant search needs a calibration")
    answer = search_adaptive(climbed.responses, np.array(plan.log2_mpp), plan.calibration, climbed.left)
    return _answer(climbed, (answer.optimal_mpp, answer.confidence, answer.beyond_ladder), answer.curves, problems)


def _answer(
    climbed: _Climbed,
    found: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]],
    curves: dict[str, NDArray[np.float64]],
    problems: tuple[str, ...],
) -> BlockAnswer:
    """Set the reasons of tiles without a result, and remove what was made of unreadable ones."""
    optimal_mpp, confidence, beyond_ladder = found
    unreadable = np.array([bool(problem) for problem in problems])
    optimal = np.where(unreadable, np.nan, optimal_mpp)
    reason = np.where(beyond_ladder, Reason.BEYOND_LADDER, Reason.NO_OPTIMUM)
    reason = np.where(np.isfinite(optimal), Reason.ANSWERED, reason)
    return BlockAnswer(
        optimal,
        np.where(unreadable, np.nan, confidence),
        np.where(unreadable, np.nan, 2.0**climbed.log2_finest),
        np.where(unreadable, Reason.UNREADABLE, reason).astype(np.uint8),
        {layer: np.where(unreadable[:, None], np.nan, curve) for layer, curve in curves.items()},
        problems,
    )
