"""Photographs of known class, one for each of the 120 classes whose photographs the authors list in their demo."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.functional import resize

from benchmarks.data import read_rows

SEED = 2026
#: Shorter side of a photograph at its original size, pixels.
ORIGINAL_PX = 224


@dataclass(frozen=True)
class Photograph:
    """A photograph and its class.

    Attributes
    ----------
    path
        The image.
    class_index
        Of the 1,000 classes of ImageNet.
    name
        Of the class.
    """

    path: Path
    class_index: int
    name: str

    def at(self, shorter_px: int) -> NDArray[np.uint8]:
        """Bring the shorter side to a size as the authors' demo does: whole image, shape kept; (row, col, rgb)."""
        with Image.open(self.path) as image:
            return np.asarray(resize(image.convert("RGB"), shorter_px))


def read_photographs(folder: Path, count: int | None = None) -> tuple[Photograph, ...]:
    """Read the table, in a random order that is always the same, so that the first of them are a fair sample."""
    rows = read_rows(folder / "labels.tsv")
    order = np.random.default_rng(SEED).permutation(len(rows))
    return tuple(_photograph(folder, rows[place]) for place in order[:count])


def classes_of(photographs: Sequence[Photograph]) -> NDArray[np.int64]:
    """(photograph,) class of each."""
    return np.array([photograph.class_index for photograph in photographs], np.int64)


def _photograph(folder: Path, row: dict[str, str]) -> Photograph:
    return Photograph(folder / row["file"], int(row["class_index"]), row["name"])
