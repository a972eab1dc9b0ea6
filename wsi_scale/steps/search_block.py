"""A block of tiles in a worker: read, responded to and estimated."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.turns import turn
from wsi_scale.results.scale_map import Reason
from wsi_scale.scale.adaptive import search_adaptive
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.published import search_published
from wsi_scale.steps.climb import Climbed, Passes, climb
from wsi_scale.steps.dense import Sharing
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.passes import SeparatePasses, SharedPasses


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
    shared
        How tiles share a pass; None where each has its own.
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
    shared: Sharing | None
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
    """Some tiles of a plan.

    Attributes
    ----------
    corners
        Top left corners, level-0 pixels.
    places
        Columns and rows on the grid.
    """

    plan: SearchPlan
    corners: tuple[tuple[int, int], ...]
    places: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.corners)


@dataclass(frozen=True)
class BlockAnswer:
    """Answers of a block.

    Attributes
    ----------
    optimal_mpp, confidence, dominant_radius_um
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
    dominant_radius_um: NDArray[np.float64]
    reason: NDArray[np.uint8]
    curves: dict[str, NDArray[np.float64]]
    problems: tuple[str, ...]


def search_block(block: SearchBlock) -> BlockAnswer:
    """Read, respond and estimate the tiles of a block; runs in a worker."""
    plan = block.plan
    with plan.slide.opened() as slide:
        passes: Passes = SharedPasses(block, slide) if plan.shared else SeparatePasses(block, slide)
        passes.read_ahead()
        with turn(plan.network.compute) as at, plan.network.placed(at[0]) as network:
            climbed = climb(plan, network, passes, at)
    problems = tuple(passes.problems)
    if plan.method == "published":
        return _answer_published(climbed, plan, problems)
    return _answer_covariant(climbed, plan, problems)


def _answer_published(climbed: Climbed, plan: SearchPlan, problems: tuple[str, ...]) -> BlockAnswer:
    answer = search_published(climbed.responses)
    voting = np.mean([np.isfinite(vote) for vote in answer.votes.values()], axis=0)
    optimal = plan.tile_mpp / answer.scale
    # It was calibrated on nothing, so it knows no radius.
    found = (optimal, voting, np.full(len(optimal), np.nan))
    return _answer(climbed, found, answer.beyond_ladder, answer.curves, problems)


def _answer_covariant(climbed: Climbed, plan: SearchPlan, problems: tuple[str, ...]) -> BlockAnswer:
    if plan.calibration is None:
        raise ValueError("the covariant search needs a calibration")
    answer = search_adaptive(climbed.responses, np.array(plan.log2_mpp), plan.calibration, climbed.left)
    found = (answer.optimal_mpp, answer.confidence, answer.radius_um)
    return _answer(climbed, found, answer.beyond_ladder, answer.curves, problems)


def _answer(
    climbed: Climbed,
    found: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    beyond_ladder: NDArray[np.bool_],
    curves: dict[str, NDArray[np.float64]],
    problems: tuple[str, ...],
) -> BlockAnswer:
    """Set the reasons of tiles without a result, and remove what was made of unreadable ones.

    ``found`` is optimal mpp, confidence and dominant radius.
    """
    unreadable = np.array([bool(problem) for problem in problems])
    optimal, confidence, radius, finest = (
        np.where(unreadable, np.nan, values) for values in (*found, 2.0**climbed.log2_finest)
    )
    reason = np.where(beyond_ladder, Reason.BEYOND_LADDER, Reason.NO_OPTIMUM)
    reason = np.where(np.isfinite(optimal), Reason.ANSWERED, reason)
    return BlockAnswer(
        optimal,
        confidence,
        finest,
        radius,
        np.where(unreadable, Reason.UNREADABLE, reason).astype(np.uint8),
        {layer: np.where(unreadable[:, None], np.nan, curve) for layer, curve in curves.items()},
        problems,
    )
