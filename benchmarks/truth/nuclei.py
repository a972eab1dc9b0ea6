"""Agreement with measured nuclei: MoNuSeg's images that have official masks. Nothing in µm is calibrated on them.

The truth was fixed beforehand: the area-weighted median radius, because a channel's response is a mean over area; the
plain median beside it. Its µm per pixel is nominal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import read_rows
from benchmarks.truth.estimators import Estimator, Field
from benchmarks.truth.figures import Finding, Numbers, agreement, slope_figures
from benchmarks.truth.tissue import resized

MPP = 0.25
#: Known factors by which each image is shown too, at the same mpp tag.
FACTORS = (0.6, 1.4, 2.0)
#: A tile with fewer whole nuclei has no measured radius.
LEAST_NUCLEI = 5


@dataclass(frozen=True)
class Measured:
    """An image and the nuclei in it.

    Attributes
    ----------
    case, organ
        The patient and where it is from.
    pixels, labels
        (row, col, rgb), and the number of the nucleus there, 0 where there is none, (row, col).
    radius_um
        (nucleus,) radius of the circle of the same area; nuclei cut by the image's edge are left out.
    x_px, y_px
        (nucleus,) centres.
    """

    case: str
    organ: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    radius_um: Numbers
    x_px: Numbers
    y_px: Numbers

    @property
    def log2_weighted(self) -> float:
        """Log2 of the area-weighted median radius, µm."""
        return log2_weighted_median(self.radius_um)

    @property
    def log2_plain(self) -> float:
        """Log2 of the median radius, µm."""
        return float(np.log2(np.median(self.radius_um)))

    def log2_of_tiles(self, tiles: int) -> Numbers:
        """(tile,) area-weighted as above, of the nuclei with their centres in each tile; NaN of too few."""
        side = len(self.pixels) / tiles
        place = (self.y_px // side).astype(int) * tiles + (self.x_px // side).astype(int)
        members = [self.radius_um[place == tile] for tile in range(tiles**2)]
        return np.array([log2_weighted_median(m) if len(m) >= LEAST_NUCLEI else np.nan for m in members])


def log2_weighted_median(radius_um: Numbers) -> float:
    """Log2 of the radius below which half of the nuclear area lies."""
    ordered = np.sort(radius_um)
    area = np.cumsum(ordered**2)
    return float(np.log2(ordered[np.searchsorted(area, area[-1] / 2)]))


@cache
def measured_images(root: Path) -> tuple[Measured, ...]:
    """Images of MoNuSeg with official masks."""
    rows = [row for row in read_rows(root / "nuclei" / "images.tsv") if row["dataset"] == "monuseg"]
    return tuple(_measured(root, row) for row in rows if row["mask_source"].startswith("official"))


def _measured(root: Path, row: dict[str, str]) -> Measured:
    pixels = np.asarray(Image.open(root / "nuclei" / row["file"]).convert("RGB"))
    labels = np.asarray(Image.open(root / "nuclei" / row["labels"])).astype(np.int64)
    areas = np.bincount(labels.ravel())
    areas[np.concatenate([[0], labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 0
    y, x = np.indices(labels.shape)
    kept = np.flatnonzero(areas)
    centres = [np.bincount(labels.ravel(), axis.ravel())[kept] / areas[kept] for axis in (x, y)]
    organ = row["organ"].partition(" ")[0]
    return Measured(row["case"], organ, pixels, labels, np.sqrt(areas[kept] / np.pi) * MPP, *centres)


def nuclei_test(estimator: Estimator, root: Path, factors: Sequence[float] = FACTORS) -> Finding:
    """Compare an image's optimal mpp, the median over its tiles, with its measured nuclei.

    Parameters
    ----------
    factors
        Known factors by which each image is shown too.
    """
    images = measured_images(root)
    log2_k = np.log2(estimator.mpp_per_um)
    own = [Field(image.pixels, MPP) for image in images]
    answers = estimator.answer(own)
    found = np.array([each.log2_mpp for each in answers])
    truth = np.array([image.log2_weighted for image in images])
    figures: dict[str, Any] = _agreement(truth, found, log2_k)
    figures["plain_median"] = _agreement(np.array([image.log2_plain for image in images]), found, log2_k)
    figures["by_organ"] = _by_organ([image.organ for image in images], found - log2_k - truth)
    shown = [estimator.log2_of_fields([Field(resized(i.pixels, f), MPP) for i in images]) for f in factors]
    if factors:
        every = np.stack([found, *shown], axis=1)
        figures["known_factors"] = slope_figures(np.log2([1.0, *factors]), every) | {
            f"× {factor:g}": _agreement(truth + np.log2(factor), at, log2_k)
            for factor, at in zip(factors, shown, strict=True)
        }
    tiles = [image.log2_of_tiles(field.tiles) for image, field in zip(images, own, strict=True)]
    optimal = np.log2(np.concatenate([each.optimal_mpp for each in answers]))
    units = np.repeat(np.arange(len(images)), [len(each) for each in tiles])
    return Finding(
        figures,
        {
            "truth": truth,
            "found": found - (0 if np.isnan(log2_k) else log2_k),
            "tile_errors": optimal - np.concatenate(tiles),
            "tile_confidence": np.concatenate([each.confidence for each in answers]),
            "tile_image": units.astype(np.float64),
        },
    )


def _agreement(truth: Numbers, found: Numbers, log2_k: float) -> dict[str, Any]:
    """Agreement; a bias only where the estimator claims radii."""
    figures = agreement(truth, found - (0 if np.isnan(log2_k) else log2_k))
    return figures | ({"bias_octaves": np.nan} if np.isnan(log2_k) else {})


def _by_organ(organs: Sequence[str], errors: Numbers) -> dict[str, Any]:
    rows = {}
    for organ in sorted(set(organs)):
        of_organ = errors[np.array(organs) == organ]
        known = of_organ[np.isfinite(of_organ)]
        rows[organ] = {"bias_octaves": float(np.mean(known)) if len(known) else np.nan, "images": len(of_organ)}
    return rows
