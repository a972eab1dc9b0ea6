"""A block of tiles in a worker: fields around their centres, read and averaged by a layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.turns import turn
from wsi_scale.slides.field import Field, padded_share
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.slides.slide import Slide
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.pixels import pixels_on
from wsi_scale.units import MAX_UPSAMPLING


@dataclass(frozen=True)
class ExtractPlan:
    """Everything that a block needs besides its tiles.

    Attributes
    ----------
    channels
        Of the layer that features are taken from.
    block_tiles
        Tiles of a full block.
    """

    slide: SlideSource
    network: NetworkInput
    channels: int
    block_tiles: int
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
    with block.plan.slide.opened() as slide:
        return _features(block, slide)


def _features(block: ExtractBlock, slide: Slide) -> BlockFeatures:
    plan, channels = block.plan, block.plan.channels
    count = len(block.centres)
    features = np.full((count, len(plan.mpps), channels), np.nan, np.float32)
    padded = np.full((count, len(plan.mpps)), np.nan, np.float32)
    problems: dict[float, tuple[str, ...]] = {}
    for index, mpp in enumerate(plan.mpps):
        if not is_too_fine(mpp, plan):
            fields = [_field(centre, mpp, plan) for centre in block.centres]
            features[:, index], problems[mpp] = _respond(slide, fields, plan)
            padded[:, index] = [padded_share(slide, field) for field in fields]
    smallest = problems[min(problems)] if problems else ("",) * count
    return BlockFeatures(features, _at_optimum(slide, block), padded, smallest)


def _at_optimum(slide: Slide, block: ExtractBlock) -> NDArray[np.float32]:
    optimal = np.full((len(block.centres), block.plan.channels), np.nan, np.float32)
    fields = {
        index: None if unreadable else _field(centre, mpp, block.plan)
        for index, (centre, mpp, unreadable) in enumerate(
            zip(block.centres, block.optimal_mpp, block.unreadable, strict=True)
        )
        if unreadable or (np.isfinite(mpp) and not is_too_fine(mpp, block.plan))
    }
    if fields:
        optimal[list(fields)], _ = _respond(slide, list(fields.values()), block.plan)
    return optimal


def _respond(
    slide: Slide, fields: Sequence[Field | None], plan: ExtractPlan
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(tile, channel) answers, NaN for fields that cannot be decoded, and why not."""
    from wsi_scale.networks.forward import block_responses

    pixels = FieldBlock(slide, fields)
    features = np.full((len(fields), plan.channels), np.nan, np.float32)
    readable = pixels.hold(range(len(fields)), (plan.tile_px, plan.tile_px))
    if readable:
        with turn(plan.network.compute) as (compute, place), plan.network.placed(compute) as network:
            images = pixels_on(pixels, place).images(readable, plan.tile_px)
            (features[readable],) = block_responses(network, images, compute, plan.block_tiles).values()
    return features, tuple(pixels.problems)


def _field(centre: tuple[float, float], mpp: float, plan: ExtractPlan) -> Field:
    width, height = plan.tile_px * mpp / plan.mpp_x, plan.tile_px * mpp / plan.mpp_y
    return Field(centre[0] - width / 2, centre[1] - height / 2, width, height)


def is_too_fine(mpp: float, plan: ExtractPlan) -> bool:
    """Whether an mpp is too fine for a slide: its level 0 would have to be enlarged too far."""
    return mpp * MAX_UPSAMPLING < max(plan.mpp_x, plan.mpp_y)
