"""What estimators are tried on: slides read again at drawn mpp, images at their own, and single tiles."""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.sources import UNKNOWN, Source
from wsi_scale.slides.array import ArraySlide
from wsi_scale.slides.views import views_of

#: µm per pixel that draws come from, octave by octave.
OCTAVES = ((0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0))
#: Views of one draw at one downsample, over all its fields, and the least that a draw needs at its own mpp.
VIEWS, LEAST_VIEWS = 16, 4
#: Side of a single tile, and how many are drawn a field.
TILE_PX, TILES_PER_FIELD = 224, 6
SEED = 2026


@dataclass(frozen=True)
class Draw:
    """Images that belong together, at one mpp.

    Attributes
    ----------
    name, case, scanner, stain
        What figures are grouped by.
    mpp
        µm per pixel of the images.
    octave
        Lower end of the octave that mpp was drawn from; NaN for images at their own mpp.
    sources
        What the images come from.
    """

    name: str
    case: str
    scanner: str
    stain: str
    mpp: float
    octave: float
    sources: tuple[Source, ...]

    @property
    def key(self) -> str:
        """Name in tables."""
        return f"{self.name}|{self.case}|{self.sources[0].slide}|{self.scanner}|{self.mpp:.5f}"

    @property
    def organ(self) -> str:
        """Of its first field, without what the table adds in brackets."""
        return self.sources[0].organ.partition(" (")[0]

    @property
    def identity(self) -> dict[str, Any]:
        """All that the views depend on."""
        return {"sources": [source.identity for source in self.sources], "mpp": self.mpp, "views": VIEWS, "seed": SEED}

    def views(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the downsample and (view, row, col, rgb) of what an estimator reads."""
        rng = np.random.default_rng(SEED)
        share = -(-VIEWS // len(self.sources))
        for source in self.sources:
            slide = ArraySlide(resampled(source.pixels(), source.mpp, self.mpp))
            for downsample, images, _ in views_of(slide, share, rng):
                yield downsample, images


def resampled(image: NDArray[np.uint8], mpp: float, target_mpp: float) -> NDArray[np.uint8]:
    """Bring an image to another mpp by the filter that slides are read with."""
    size = [round(extent * mpp / target_mpp) for extent in (image.shape[1], image.shape[0])]
    box = (0, 0, min(image.shape[1], size[0] * target_mpp / mpp), min(image.shape[0], size[1] * target_mpp / mpp))
    return np.asarray(Image.fromarray(image).resize((size[0], size[1]), Image.Resampling.BILINEAR, box=box))


def slide_draws(sources: Sequence[Source]) -> list[Draw]:
    """One draw a slide and octave, log-uniform, from all its fields that are as fine."""
    slides: dict[tuple[str, str, str], list[Source]] = defaultdict(list)
    for source in sources:
        slides[source.case, source.slide, source.stain].append(source)
    draws = []
    for key, fields in sorted(slides.items()):
        # By name, so that a slide's draws do not depend on which other slides there are.
        rng = np.random.default_rng((SEED, zlib.crc32("|".join(key).encode())))
        for low, high in OCTAVES:
            mpp = float(np.exp(rng.uniform(np.log(low), np.log(high))))
            able = tuple(field for field in fields if field.mpp <= mpp * 1.001)
            if able:
                first = able[0]
                scanner = next((f.scanner for f in able if f.scanner != UNKNOWN), UNKNOWN)
                draws.append(Draw("tissue", first.case, scanner, first.stain, mpp, low, able))
    return draws


def image_draws(sources: Sequence[Source]) -> list[Draw]:
    """All images of a case at their own mpp, one draw a case."""
    cases: dict[tuple[str, str, float], list[Source]] = defaultdict(list)
    for source in sources:
        cases[source.name, source.case, source.mpp].append(source)
    return [
        Draw(name, case, images[0].scanner, images[0].stain, mpp, float("nan"), tuple(images))
        for (name, case, mpp), images in sorted(cases.items())
    ]


def single_tiles(source: Source, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Tiles of 224 px of a field at mpp drawn log-uniformly in 0.25–2: (tile, row, col, rgb) and their log2 mpp."""
    rng = np.random.default_rng((SEED, 7, number))
    image = source.pixels()
    low, high = max(source.mpp, 0.25), min(2.0, min(image.shape[:2]) * source.mpp / TILE_PX)
    tiles, truth = [], []
    for _ in range(TILES_PER_FIELD if high > low else 0):
        mpp = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        side = TILE_PX * mpp / source.mpp
        x, y = (rng.uniform(0, extent - side) if extent > side else 0.0 for extent in image.shape[1::-1])
        box = (x, y, min(x + side, image.shape[1]), min(y + side, image.shape[0]))
        tiles.append(np.asarray(Image.fromarray(image).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR, box=box)))
        truth.append(np.log2(mpp))
    return np.array(tiles, np.uint8).reshape(-1, TILE_PX, TILE_PX, 3), np.array(truth)
