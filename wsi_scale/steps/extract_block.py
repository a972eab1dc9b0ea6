"""A block of tiles in a worker: fields around their centres, read and averaged by a layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.slides.field import Field, padded_share, read_field
from wsi_scale.slides.slide import Slide
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.unreadable import read_each
from wsi_scale.units import MAX_UPSAMPLING

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


@dataclass(frozen=True)
class ExtractPlan:
    """Everything that a block needs besides its tiles."""

    slide: SlideSource
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

    def __len__(self) -> int:
        return len(self.centres)


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
        if not is_too_fine(mpp, plan):
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
        if unreadable or (np.isfinite(mpp) and not is_too_fine(mpp, block.plan))
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


def is_too_fine(mpp: float, plan: ExtractPlan) -> bool:
    """Whether an mpp is too fine for a slide: its level 0 would have to be enlarged too far."""
    return mpp * MAX_UPSAMPLING < max(plan.mpp_x, plan.mpp_y)
