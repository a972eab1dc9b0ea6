"""A block of tiles in a worker: read, responded to and estimated."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.scale_map import Reason
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.covariant import search_covariant
from wsi_scale.scale.published import search_published
from wsi_scale.slides.field import Field, read_field, read_ladder, resize_square
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.unreadable import read_each

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network
    from wsi_scale.slides.slide import Slide


@dataclass(frozen=True)
class SearchPlan:
    """Everything that a block needs besides its tiles; pickles to a few kilobytes.

    Attributes
    ----------
    slide, network
        By path or name, and by their content as the run knows it: opened and loaded once per worker.
    calibration
        Of the network; None for the published search.
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
    reason
        (tile,) uint8, a ``Reason`` each.
    curves
        Layer → (tile, rung).
    problems
        One a tile: why it cannot be decoded, or "".
    """

    optimal_mpp: NDArray[np.float64]
    confidence: NDArray[np.float64]
    reason: NDArray[np.uint8]
    curves: dict[str, NDArray[np.float64]]
    problems: tuple[str, ...]


def search_block(block: SearchBlock) -> BlockAnswer:
    """Read, respond and estimate the tiles of a block; runs in a worker."""
    with block.plan.network.placed() as network, block.plan.slide.opened() as slide:
        return _answered(block, network, slide)


def _answered(block: SearchBlock, network: "Network", slide: "Slide") -> BlockAnswer:
    from wsi_scale.networks.forward import ladder_responses

    plan = block.plan
    fields = [Field(x, y, plan.tile_width, plan.tile_height) for x, y in block.corners]
    sizes = [size for size in plan.rungs if size is not None]
    blank = [np.full((size, size, 3), 255, np.uint8) for size in sizes]
    images, problems = read_each(partial(_read_rungs, slide, plan, sizes), fields, blank)
    responses = ladder_responses(network, _stack(images, plan.rungs), plan.network.compute)
    if plan.method == "published":
        return _answer_published(responses, plan, problems)
    return _answer_covariant(responses, plan, problems)


def _read_rungs(slide: "Slide", plan: SearchPlan, sizes: Sequence[int], field: Field) -> list[NDArray[np.uint8]]:
    """Read a tile at the sizes of the rungs."""
    if plan.method == "published":
        tile = read_field(slide, field, (plan.tile_px, plan.tile_px))
        return [resize_square(tile, size) for size in sizes]
    return read_ladder(slide, field, sizes)


def _answer_published(
    responses: dict[str, NDArray[np.float32]], plan: SearchPlan, problems: tuple[str, ...]
) -> BlockAnswer:
    answer = search_published(responses)
    voting = np.mean([np.isfinite(vote) for vote in answer.votes.values()], axis=0)
    return _answer(plan.tile_mpp / answer.scale, voting, answer.beyond_ladder, answer.curves, problems)


def _answer_covariant(
    responses: dict[str, NDArray[np.float32]], plan: SearchPlan, problems: tuple[str, ...]
) -> BlockAnswer:
    if plan.calibration is None:
        raise ValueError("the covariant search needs a calibration")
    answer = search_covariant(responses, np.array(plan.log2_mpp), plan.calibration)
    return _answer(answer.optimal_mpp, answer.confidence, answer.beyond_ladder, answer.curves, problems)


def _answer(
    optimal_mpp: NDArray[np.float64],
    confidence: NDArray[np.float64],
    beyond_ladder: NDArray[np.bool_],
    curves: dict[str, NDArray[np.float64]],
    problems: tuple[str, ...],
) -> BlockAnswer:
    """Set the reasons of tiles without a result, and remove the results of blanks that replace unreadable tiles."""
    unreadable = np.array([bool(problem) for problem in problems])
    optimal = np.where(unreadable, np.nan, optimal_mpp)
    reason = np.where(beyond_ladder, Reason.BEYOND_LADDER, Reason.NO_OPTIMUM)
    reason = np.where(np.isfinite(optimal), Reason.ANSWERED, reason)
    return BlockAnswer(
        optimal,
        np.where(unreadable, np.nan, confidence),
        np.where(unreadable, Reason.UNREADABLE, reason).astype(np.uint8),
        {layer: np.where(unreadable[:, None], np.nan, curve) for layer, curve in curves.items()},
        problems,
    )


def _stack(tiles: Sequence[Sequence[NDArray[np.uint8]]], rungs: Sequence[int | None]) -> list[NDArray[np.uint8] | None]:
    """(tile)(rung) images → one (tile, size, size, rgb) a rung, None for rungs without an image."""
    by_rung = iter(zip(*tiles, strict=True))
    return [None if size is None else np.stack(next(by_rung)) for size in rungs]
