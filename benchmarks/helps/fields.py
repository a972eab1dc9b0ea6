"""Fields of 112 µm with measured nuclei: MoNuSeg's images with official masks, and TNBC."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import read_rows
from benchmarks.helps.images import Floats, Pixels
from wsi_scale.learning.fields import read_table

#: µm per pixel of the images (nominal), and the side of a field, pixels.
MPP, FIELD_PX = 0.25, 448
#: Nuclei that a field needs for its median radius to be a truth.
LEAST_NUCLEI = 10


@dataclass(frozen=True)
class Fields:
    """Fields and their nuclei.

    Attributes
    ----------
    images
        (field, row, col, rgb).
    dataset, image, patient
        (field,) names.
    covered
        (field,) share of the field that nuclei cover.
    radius_um, weighted_radius_um
        (field,) median radius of the circle of a nucleus's area, plain and weighted by area; NaN of few nuclei.
    """

    images: Pixels
    dataset: NDArray[np.str_]
    image: NDArray[np.str_]
    patient: NDArray[np.str_]
    covered: Floats
    radius_um: Floats
    weighted_radius_um: Floats


def read_fields(root: Path) -> Fields:
    """Cut as many fields side by side out of each image as fit, about its middle."""
    folder = root / "nuclei"
    nuclei = defaultdict(list)
    for row in read_table(folder / "nuclei.tsv", "nuclei", ("image", "area_px", "cx", "cy")):
        nuclei[row["image"]].append([float(row[name]) for name in ("cx", "cy", "area_px", "touches_edge")])
    parts = []
    for row in read_rows(folder / "images.tsv"):
        if row["dataset"] == "monuseg" and not row["mask_source"].startswith("official"):
            continue
        pixels = np.asarray(Image.open(folder / row["file"]).convert("RGB"))
        labels = np.asarray(Image.open(folder / row["labels"]))
        name = f"{row['dataset']}/{Path(row['file']).stem}"
        for y, x in _corners(labels.shape):
            inside = (slice(y, y + FIELD_PX), slice(x, x + FIELD_PX))
            radii = median_radii(np.array(nuclei[name]).reshape(-1, 4), (x, y))
            names = (row["dataset"], name, f"{row['dataset']}/{row['case']}")
            parts.append((pixels[inside], *names, float((labels[inside] > 0).mean()), *radii))
    images, dataset, image, patient, *numbers = zip(*parts, strict=True)
    named = (np.array(values) for values in (dataset, image, patient))
    return Fields(np.stack(images), *named, *(np.array(values, np.float64) for values in numbers))


def median_radii(nuclei: Floats, corner: tuple[int, int]) -> tuple[float, float]:
    """Median radius of the whole nuclei whose centre lies in a field, µm: plain, and weighted by area.

    Parameters
    ----------
    nuclei
        (nucleus, 4): x, y, area in pixels, and whether it touches the image's edge.
    corner
        x and y of the field's top left corner.
    """
    centre = nuclei[:, :2] - np.array(corner)
    own = nuclei[np.all((centre >= 0) & (centre < FIELD_PX), axis=1) & (nuclei[:, 3] == 0), 2]
    if len(own) < LEAST_NUCLEI:
        return float("nan"), float("nan")
    area = np.sort(own)
    weighted = np.interp(0.5, (np.cumsum(area) - area / 2) / area.sum(), area)
    return tuple(float(np.sqrt(value / np.pi) * MPP) for value in (np.median(area), weighted))  # type: ignore[return-value]


def _corners(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    starts = []
    for extent in shape[:2]:
        count = extent // FIELD_PX
        begin = (extent - count * FIELD_PX) // 2
        starts.append([begin + number * FIELD_PX for number in range(count)])
    return [(y, x) for y in starts[0] for x in starts[1]]
