"""Tiles of H&E tissue at random mpp, augmented, with what is known of where they come from."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sources import Source, read_crops
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.sampling import SourceField, Span, draw_batch

MPP_RANGE = (0.25, 2.0)
SPAN = Span(mpp=MPP_RANGE, wider=MPP_RANGE, wider_share=0)
TILE_PX = 224
SEED = 2026


class NeverFiner(SourceField):
    """A field that is never enlarged."""

    def allows(self, target_mpp: float, tile_px: int) -> bool:
        """Whether a tile at ``target_mpp`` fits in and is no finer than the field."""
        return target_mpp >= self.mpp and super().allows(target_mpp, tile_px)


@dataclass(frozen=True)
class Tiles:
    """A set of tiles.

    Attributes
    ----------
    images
        (tile, row, col, rgb).
    log2_mpp
        (tile,).
    cases
        (tile,) what a split keeps together.
    labels
        (tile, 3) organ, scanner and native mpp of the field: what its table gives.
    """

    images: NDArray[np.uint8]
    log2_mpp: NDArray[np.float64]
    cases: list[str]
    labels: NDArray[np.str_]


@dataclass(frozen=True)
class TileSet:
    """A set of tiles to be drawn: the same fields, count and name give the same tiles."""

    name: str
    fields: tuple[Source, ...]
    count: int

    @cached_property
    def tiles(self) -> Tiles:
        """Draw the tiles."""
        rng = np.random.default_rng(SEED)
        loaded = [_field(source) for source in self.fields]
        images, log2_mpp, origins = draw_batch(loaded, SPAN, TILE_PX, self.count, rng, Augmentation())
        parts = np.array([origin.split("\t") for origin in origins])
        return Tiles(images, log2_mpp.astype(np.float64), parts[:, 0].tolist(), parts[:, 1:])


def read_tissue(root: Path, cases: Collection[str] | None = None) -> tuple[Source, ...]:
    """H&E fields of the atlas, of some cases or of all."""
    return tuple(source for source in read_crops(root) if cases is None or source.case in cases)


def _field(source: Source) -> NeverFiner:
    """Read a field, grouped by case, organ, scanner and native mpp (to the octave), joined: what a draw comes from."""
    native = f"{2.0 ** round(np.log2(source.mpp)):g} µm/px"
    origin = "\t".join((source.case, source.organ, source.scanner, native))
    return NeverFiner(source.pixels(), source.mpp, origin)
