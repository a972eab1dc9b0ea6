"""Real tissue of cases that the shipped network has not seen, one field a case, and what is done to its images."""

import math
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.sources import Source, read_crops
from benchmarks.truth.estimators import TILE_UM, Field
from wsi_scale.learning.fields import read_kept_out

Pixels = NDArray[np.uint8]

KEPT_OUT = Path("configs/kept_out.tsv")
#: Coarser fields cannot be tiled at 0.5 µm/px.
COARSEST_MPP = 0.6
#: A quarter of a millimetre: what the crops of 1024 px hold at 40x.
LARGEST_UM = 256.0
SEED = 2026


@dataclass(frozen=True)
class Case:
    """A square field of one case, as it was scanned."""

    name: str
    pixels: Pixels
    mpp: float

    @property
    def side_um(self) -> float:
        """Side on the tissue."""
        return len(self.pixels) * self.mpp

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers that depend on case and purpose, not on which other cases there are."""
        return np.random.default_rng((SEED, zlib.crc32(f"{self.name}|{purpose}".encode())))

    def middle(self, side_um: float, x_um: float = 0.0, y_um: float = 0.0) -> Pixels:
        """Cut a square about the centre, or off it by some µm."""
        side = round(side_um / self.mpp)
        left, top = (
            min(max((len(self.pixels) - side) // 2 + round(off / self.mpp), 0), len(self.pixels) - side)
            for off in (x_um, y_um)
        )
        return self.pixels[top : top + side, left : left + side]


@cache
def unseen_cases(root: Path) -> tuple[Case, ...]:
    """H&E of the cases kept out of the shipped network, and of `tissue_more`, which no network was trained on.

    The finest field of each case, of at least a tile; in an order by name that mixes both.
    """
    kept_out = read_kept_out(KEPT_OUT)
    sources = [source for source in read_crops(root, ("tissue",)) if source.case in kept_out]
    sources += read_crops(root, ("tissue_more",))
    finest: dict[str, Source] = {}
    for source in sorted(sources, key=lambda each: (each.mpp, each.path.name)):
        finest.setdefault(source.case, source)
    names = sorted(finest, key=lambda name: zlib.crc32(name.encode()))
    cases = [_case(finest[name]) for name in names if finest[name].mpp <= COARSEST_MPP]
    return tuple(case for case in cases if case.side_um >= TILE_UM)


def _case(source: Source) -> Case:
    pixels = source.pixels()
    side = min(*pixels.shape[:2], math.floor(LARGEST_UM / source.mpp))
    top, left = ((extent - side) // 2 for extent in pixels.shape[:2])
    return Case(source.case, pixels[top : top + side, left : left + side], source.mpp)


def resized(pixels: Pixels, factor: float) -> Pixels:
    """Enlarge or shrink a square image; Pillow's filter widens with the reduction, so that nothing aliases."""
    side = round(len(pixels) * factor)
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))


def as_scanned(pixels: Pixels, mpp: float, rng: np.random.Generator) -> Field:
    """Add what a scanner adds, after all that was done to the image: noise, and JPEG of its file."""
    noisy = pixels + rng.normal(0, rng.uniform(0.5, 3.0), pixels.shape)
    return Field(np.clip(noisy + 0.5, 0, 255).astype(np.uint8), mpp, int(rng.integers(70, 96)))


def restained(pixels: Pixels, haematoxylin: float, eosin: float) -> Pixels:
    """Multiply the two dyes, unmixed as Ruifrok & Johnston (2001) do."""
    from skimage.color import hed2rgb, rgb2hed

    dyes = rgb2hed(pixels) * np.array([haematoxylin, eosin, 1.0])
    changed: Pixels = np.clip(hed2rgb(dyes) * 255 + 0.5, 0, 255).astype(np.uint8)
    return changed


def denser(pixels: Pixels, factor: float) -> Pixels:
    """Multiply optical densities, as a section that is thicker by this factor would have them."""
    return np.clip(255 * (np.maximum(pixels, 1) / 255) ** factor + 0.5, 0, 255).astype(np.uint8)


def defocused(pixels: Pixels, mpp: float, blur_um: float) -> Pixels:
    """Blur with a Gaussian of this standard deviation on the tissue."""
    blurred = ndimage.gaussian_filter(pixels.astype(np.float32), (blur_um / mpp, blur_um / mpp, 0), mode="nearest")
    soft: Pixels = np.clip(blurred + 0.5, 0, 255).astype(np.uint8)
    return soft
