"""Patches of one size at every power, their mean nucleus area, and splits by patient."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import read_rows
from benchmarks.nuclei.nucleus_area import mean_nucleus_area
from wsi_scale.units import mpp_from_power

POWERS = (5, 8, 10, 15, 20, 30, 40)
#: Nominal µm per pixel of both data sets.
LEVEL0_MPP = 0.25
#: Side of a patch at every power: what an image has left at 5x.
PATCH_PX = {"monuseg": 124, "tnbc": 64}
#: Patches of an image at each power: as many as a square has symmetries, because at 5x there is one field an image
#: and its patches differ by them alone. Positions are tried until as many hold a nucleus.
PATCHES, POSITIONS = 8, 64
#: Shares of the patients.
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.15
SEED = 2026


@dataclass(frozen=True)
class Patches:
    """Patches of a data set.

    Attributes
    ----------
    dataset
        ``monuseg`` or ``tnbc``.
    images
        (patch, row, col, rgb), 8 bits.
    area_px2
        Mean nucleus area at the patch's power, px², (patch,).
    power, patient
        (patch,).
    official
        Whether the mask is the data set's own, (patch,).
    """

    dataset: str
    images: NDArray[np.uint8]
    area_px2: NDArray[np.float64]
    power: NDArray[np.int64]
    patient: NDArray[np.str_]
    official: NDArray[np.bool_]

    @cached_property
    def digest(self) -> str:
        """Digest of the pixels, areas and patients."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.area_px2.tobytes())
        digest.update("\n".join(self.patient).encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Split:
    """Which patches are trained on, used for every choice, and tested on, each (patch,)."""

    seed: int
    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]


def split_patients(patient: NDArray[np.str_], seed: int) -> Split:
    """Split by patient, at random: 60 % to train on, 15 % for validation, 25 % for the test."""
    order = np.random.default_rng(seed).permutation(np.unique(patient))
    test = round(TEST_SHARE * len(order))
    validation = max(1, round(VALIDATION_SHARE * len(order)))
    tested, validating, trained = np.split(order, [test, test + validation])
    return Split(seed, np.isin(patient, trained), np.isin(patient, validating), np.isin(patient, tested))


@cache
def read_patches(root: Path, dataset: str) -> Patches:
    """Cut and reduce the patches of a data set; those without a nucleus are left out."""
    rows = [row for row in read_rows(root / "nuclei" / "images.tsv") if row["dataset"] == dataset]
    images, areas, powers, patients, official = [], [], [], [], []
    for number, row in enumerate(rows):
        image = np.asarray(Image.open(root / "nuclei" / row["file"]).convert("RGB"))
        labels = np.asarray(Image.open(root / "nuclei" / row["labels"]))
        for power in POWERS:
            rng = np.random.default_rng((SEED, number, power))
            for patch, area in patches_of(image, labels, LEVEL0_MPP / mpp_from_power(power), PATCH_PX[dataset], rng):
                images.append(patch)
                areas.append(area)
                powers.append(power)
                patients.append(row["case"])
                official.append(row["mask_source"].startswith("official"))
    return Patches(dataset, np.stack(images), np.array(areas), np.array(powers), np.array(patients), np.array(official))


def patches_of(
    image: NDArray[np.uint8], labels: NDArray[np.integer], ratio: float, side_px: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Yield patches of an image at one power with their mean nucleus areas, each in another of the eight symmetries.

    Parameters
    ----------
    image, labels
        At level 0, (row, col, rgb) and (row, col).
    ratio
        Pixels at the power for one at level 0.
    side_px
        Side of a patch.
    """
    side = side_px / ratio
    found = 0
    for _ in range(POSITIONS):
        y, x = (int(rng.integers(0, math.floor(extent - side), endpoint=True)) for extent in labels.shape)
        area = mean_nucleus_area(labels[y : math.ceil(y + side), x : math.ceil(x + side)], ratio)
        if area is None:
            continue
        box = (x, y, x + side, y + side)
        # Pillow's own filter widens with the reduction, so that nothing aliases.
        reduced = Image.fromarray(image).resize((side_px, side_px), Image.Resampling.BILINEAR, box=box)
        yield turned(np.asarray(reduced), found), area
        found += 1
        if found == PATCHES:
            return


def turned(images: NDArray[np.uint8], symmetry: int) -> NDArray[np.uint8]:
    """One of a square's eight symmetries of images (…, row, col, rgb)."""
    mirrored = images[..., ::-1, :] if symmetry % 8 >= 4 else images
    return np.ascontiguousarray(np.rot90(mirrored, symmetry % 4, axes=(-3, -2)))
