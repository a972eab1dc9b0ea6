"""A block of tiles in a worker: read, responded to and estimated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.compute import Compute
from wsi_scale.execution.turns import turn
from wsi_scale.results.scale_map import Reason
from wsi_scale.scale.adaptive import COARSEST_MPP, estimate_so_far, search_adaptive
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.published import search_published
from wsi_scale.slides.field import Field, resize_square
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.steps.inputs import NetworkInput, SlideSource

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

#: Numbers of tiles, side in pixels → images.
Images = Callable[[Sequence[int], int], list[NDArray[np.uint8]]]


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
        pixels = FieldBlock(slide, fields)
        with turn(plan.network.compute) as compute, plan.network.placed(compute) as network:
            climbed = _Climb(plan, network, compute, pixels.problems).through(_images(plan, pixels))
    if plan.method == "published":
        return _answer_published(climbed, plan, tuple(pixels.problems))
    return _answer_covariant(climbed, plan, tuple(pixels.problems))


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
    """A block's way through the rungs of a ladder.

    Attributes
    ----------
    problems
        One a tile, "" unless it cannot be decoded; changes while images are read.
    """

    plan: SearchPlan
    network: "Network"
    compute: Compute
    problems: Sequence[str]

    def through(self, images: Images) -> _Climbed:
        """Pass tiles through the network rung after rung, from the coarsest to finer ones, until they leave."""
        plan, found = self.plan, self._nothing()
        readable = [rung for rung, size in enumerate(plan.rungs) if size is not None]
        active = np.arange(len(self.problems))
        for rung in reversed(readable):
            active = self._pass(found, rung, active, images)
            if not len(active):
                break
            if rung != readable[0]:
                settled = _settled(plan, found, active, rung)
                found.left[active[settled]] = True
                active = active[~settled]
        return found

    def _nothing(self) -> _Climbed:
        tiles, rungs = len(self.problems), len(self.plan.rungs)
        layers = self.network.layers
        responses = {layer.name: np.full((tiles, layer.channels, rungs), np.nan, np.float32) for layer in layers}
        return _Climbed(responses, np.zeros(tiles, np.bool_), np.full(tiles, np.nan))

    def _pass(self, found: _Climbed, rung: int, active: NDArray[np.int64], images: Images) -> NDArray[np.int64]:
        """Pass the active tiles at one rung; return those that could be decoded."""
        from wsi_scale.networks.forward import pooled_responses

        read = images(active.tolist(), self.plan.rungs[rung] or 0)
        fine = np.array([not self.problems[tile] for tile in active.tolist()], np.bool_)
        active, read = active[fine], [image for image, good in zip(read, fine, strict=True) if good]
        if len(active):
            answers = pooled_responses(self.network, np.stack(read), self.compute, self.plan.block_tiles)
            for name, values in answers.items():
                found.responses[name][active, :, rung] = values
            found.log2_finest[active] = self.plan.log2_mpp[rung]
        return active


def _settled(plan: SearchPlan, climbed: _Climbed, active: NDArray[np.int64], rung: int) -> NDArray[np.bool_]:
    """Whether finer rungs can hardly change the answers of the active tiles."""
    if not plan.adaptive or plan.calibration is None or 2 ** plan.log2_mpp[rung] > COARSEST_MPP * (1 + 1e-6):
        return np.zeros(len(active), np.bool_)
    responses = {name: values[active] for name, values in climbed.responses.items()}
    return estimate_so_far(responses, np.array(plan.log2_mpp), plan.calibration).settled


def _images(plan: SearchPlan, pixels: FieldBlock) -> Images:
    """Give the images of tiles at the side of a rung."""
    if plan.method == "covariant":
        return lambda rows, size: pixels.read(rows, (size, size))

    def shrunk(rows: Sequence[int], size: int) -> list[NDArray[np.uint8]]:
        return [resize_square(image, size) for image in pixels.read(rows, (plan.tile_px, plan.tile_px))]

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
