"""Training tiles of random mpp from fields of known mpp."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.augment import Augmentation, Tile, cut_tile, disguise
from wsi_scale.magnification.immunostain import draw_positivity
from wsi_scale.magnification.stain import HAEMATOXYLIN_EOSIN

#: How much finer than its source a tile may be, octaves: the enlarging is part of the disguise.
FINER_OCTAVES = 1.05


@dataclass(frozen=True)
class Span:
    """µm per pixel that tiles are drawn from, log-uniformly.

    Attributes
    ----------
    mpp
        The range to estimate.
    wider
        A wider range, and the share of tiles drawn from it: without it, estimates near the ends are pulled inwards.
    """

    mpp: tuple[float, float]
    wider: tuple[float, float]
    wider_share: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw µm per pixel."""
        low, high = self.wider if rng.random() < self.wider_share else self.mpp
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclass(frozen=True)
class SourceField:
    """An image of known µm per pixel.

    Attributes
    ----------
    image
        (row, col, rgb).
    mpp
        µm per pixel.
    group
        Case or slide: what a split keeps together.
    stain
        As its table has it; "" where that says nothing.
    """

    image: Tile
    mpp: float
    group: str
    stain: str = ""

    def allows(self, target_mpp: float, tile_px: int) -> bool:
        """Whether a tile at ``target_mpp`` fits in and is at most an octave finer than the source."""
        fits = tile_px * target_mpp <= min(self.image.shape[:2]) * self.mpp
        return fits and target_mpp >= self.mpp * 2**-FINER_OCTAVES


def draw_field(
    fields: Sequence[SourceField], span: Span, tile_px: int, rng: np.random.Generator
) -> tuple[SourceField, float]:
    """Draw a target mpp, then a group that can serve it, then one of its fields."""
    for _ in range(1000):
        target = span.draw(rng)
        able = [field for field in fields if field.allows(target, tile_px)]
        if able:
            groups = sorted({field.group for field in able})
            group = groups[rng.integers(len(groups))]
            mine = [field for field in able if field.group == group]
            return mine[rng.integers(len(mine))], target
    raise ValueError(f"no field allows tiles of {tile_px} px at {span.mpp} µm/px")


def draw_batch(
    fields: Sequence[SourceField],
    span: Span,
    tile_px: int,
    count: int,
    rng: np.random.Generator,
    augmentation: Augmentation,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[str]]:
    """Draw augmented tiles with their log2 mpp.

    Returns
    -------
    tiles, log2_mpp, groups
        (tile, row, col, rgb), (tile,) and the group of each tile's field.
    """
    tiles = np.empty((count, tile_px, tile_px, 3), np.uint8)
    truth = np.empty(count, np.float32)
    groups = []
    for index in range(count):
        field, target = draw_field(fields, span, tile_px, rng)
        tile = cut_tile(field.image, field.mpp, target, tile_px, rng, augmentation)
        # Drawn only where it is asked for, so that other training draws the same tiles as before.
        if augmentation.positivity and field.stain == HAEMATOXYLIN_EOSIN and rng.random() < augmentation.positivity:
            tile = draw_positivity(tile, target, rng)
        tiles[index] = disguise(tile, rng, augmentation)
        truth[index] = np.log2(target)
        groups.append(field.group)
    return tiles, truth, groups
