"""Tiles of H&E tissue at random mpp, disguised, with what is known of where they come from."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import read_rows
from benchmarks.scale_in_layers.responses import Inputs
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
class TissueField:
    """A field of the tables: where it is and what is known of it."""

    path: Path
    mpp: float
    case: str
    organ: str
    scanner: str

    @property
    def origin(self) -> str:
        """Case, organ, scanner and native mpp (to the octave), joined: what a draw is taken from."""
        native = f"{2.0 ** round(np.log2(self.mpp)):g} µm/px"
        return "\t".join((self.case, self.organ, self.scanner or "unknown", native))

    def loaded(self) -> SourceField:
        """Read the image."""
        with Image.open(self.path) as image:
            return NeverFiner(np.asarray(image.convert("RGB")), self.mpp, self.origin)


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
        (tile, 3) organ, scanner and native mpp of the field: what is known without looking.
    """

    images: NDArray[np.uint8]
    log2_mpp: NDArray[np.float64]
    cases: list[str]
    labels: NDArray[np.str_]


@dataclass(frozen=True)
class TileSet:
    """A set of tiles to be drawn: the same fields, count and name give the same tiles."""

    name: str
    fields: tuple[TissueField, ...]
    count: int

    @cached_property
    def tiles(self) -> Tiles:
        """Draw the tiles."""
        rng = np.random.default_rng(SEED)
        loaded = [field.loaded() for field in self.fields]
        images, log2_mpp, origins = draw_batch(loaded, SPAN, TILE_PX, self.count, rng, Augmentation())
        parts = np.array([origin.split("\t") for origin in origins])
        return Tiles(images, log2_mpp.astype(np.float64), parts[:, 0].tolist(), parts[:, 1:])

    @property
    def inputs(self) -> Inputs:
        """The tiles, for the cache of responses."""
        sources = repr([(field.path.name, field.mpp) for field in self.fields])
        key = hashlib.sha256(f"{sources}|{self.count}|{SEED}|{Augmentation()}".encode()).hexdigest()
        return Inputs(f"tissue-{self.name}", key, lambda: self.tiles.images)


def read_tissue(root: Path, cases: Collection[str] | None = None) -> tuple[TissueField, ...]:
    """H&E fields of both tables, of some cases or of all."""
    fields = []
    for table in (root / "tissue" / "crops.tsv", root / "tissue_wide" / "crops.tsv"):
        for row in read_rows(table):
            if row["stain"] == "H&E" and (cases is None or row["case"] in cases):
                path = table.parent / row["file"]
                fields.append(TissueField(path, float(row["mpp"]), row["case"], row["organ"], row["scanner"]))
    return tuple(fields)
