"""Photographs with one object each, cut square, at several sizes; and noise at the same sizes."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import read_rows

#: Sides that photographs are brought to. The largest is what the networks were trained on, and all but two
#: photographs are made smaller for each: one that is enlarged is blurred, and its blur would reveal its size.
SIZES_PX = (112, 160, 224)
REFERENCE_PX = SIZES_PX[-1]
#: White noise: as wide as the photographs' squares before they are resized (their median), and how many.
NOISE_PX, NOISE_IMAGES = 300, 48
SEED = 2026

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Photograph:
    """A photograph and the box of its one object.

    Attributes
    ----------
    path
        The image.
    label, source
        The object's class and the data set, as the table has them.
    width, height
        Pixels.
    box
        left, top, right, bottom; pixel edges.
    """

    path: Path
    label: str
    source: str
    width: int
    height: int
    box: Box

    @property
    def square(self) -> Box:
        """The square that a network sees: as wide as the short side, about the object as far as the edges allow.

        All squares become images of one size, without bars and without distortion: neither the photograph's size
        nor its shape is left in the image to reveal the object's scale. Bars of a letterbox would reveal the shape.
        """
        side = min(self.width, self.height)
        left, top = (
            min(max((low + high - side) / 2, 0), extent - side)
            for low, high, extent in ((*self.box[::2], self.width), (*self.box[1::2], self.height))
        )
        return left, top, left + side, top + side

    @property
    def area_ratio(self) -> float:
        """Share of the square that the part of the box in it covers, 0–1."""
        square = self.square
        sides = [min(self.box[k + 2], square[k + 2]) - max(self.box[k], square[k]) for k in (0, 1)]
        return sides[0] * sides[1] / (square[2] - square[0]) ** 2

    def resized(self, size_px: int) -> NDArray[np.uint8]:
        """(size_px, size_px, 3)."""
        with Image.open(self.path) as image:
            return _resize(image.convert("RGB"), size_px, self.square)


def read_photographs(folder: Path) -> tuple[Photograph, ...]:
    """Read the tables: the largest box of each image that is no crowd."""
    sizes = {row["file"]: row for row in read_rows(folder / "images.tsv")}
    largest: dict[str, dict[str, str]] = {}
    for row in read_rows(folder / "boxes.tsv"):
        known = largest.get(row["file"])
        if row["iscrowd"] == "0" and (known is None or float(row["area_ratio"]) > float(known["area_ratio"])):
            largest[row["file"]] = row
    return tuple(_photograph(folder, row, sizes[file]) for file, row in sorted(largest.items()))


@cache
def photographs_at(photographs: tuple[Photograph, ...], size_px: int) -> NDArray[np.uint8]:
    """Bring all photographs to one size, (photograph, row, col, rgb)."""
    return np.stack([each.resized(size_px) for each in photographs])


@cache
def noise_at(size_px: int) -> NDArray[np.uint8]:
    """Bring white noise of one size to another, as photographs are, (image, row, col, rgb)."""
    rng = np.random.default_rng(SEED)
    noise = rng.integers(0, 256, (NOISE_IMAGES, NOISE_PX, NOISE_PX, 3), np.uint8)
    return np.stack([_resize(Image.fromarray(each), size_px) for each in noise])


def _photograph(folder: Path, row: dict[str, str], size: dict[str, str]) -> Photograph:
    x0, y0, x1, y1 = (float(row[name]) for name in ("x0", "y0", "x1", "y1"))
    width, height = int(size["width"]), int(size["height"])
    return Photograph(folder / row["file"], row["class"], size["source_set"], width, height, (x0, y0, x1, y1))


def _resize(image: Image.Image, size_px: int, box: Box | None = None) -> NDArray[np.uint8]:
    return np.asarray(image.resize((size_px, size_px), Image.Resampling.BILINEAR, box=box))
