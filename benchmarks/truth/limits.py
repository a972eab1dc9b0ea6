"""What limits the agreement with measured nuclei: one part of the images replaced at a time.

    WSI_SCALE_DATA=… python -m benchmarks.truth.limits [--network NAME]

Each image with official masks is shown as it is; with each nucleus in one colour (no chromatin); with all else in one
colour (no stroma, cytoplasm or nuclei that the masks leave out); with both. If agreement rises when a part goes, that
part is what the estimator follows besides size. Printed beside: how the errors go with what is measured of the nuclei.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.data import RESULTS, data_root
from benchmarks.truth.estimators import Estimator, Field, searching
from benchmarks.truth.figures import agreement, interval, rounded, spearman
from benchmarks.truth.nuclei import MPP, Measured, measured_images

Pixels = NDArray[np.uint8]
#: Standard deviation of the optics' blur that a redrawn part gets, px, and of its noise, grey levels.
BLUR_PX, NOISE = 0.7, 2.0


def as_it_is(image: Measured) -> Pixels:
    """Leave the image alone."""
    return image.pixels


def without_chromatin(image: Measured) -> Pixels:
    """Give each nucleus its own mean colour."""
    return _drawn(image, _flat_nuclei(image))


def without_ground(image: Measured) -> Pixels:
    """Give all that is no nucleus one mean colour."""
    return _drawn(image, np.where(image.labels[..., None] > 0, image.pixels, _ground(image)))


def outlines_alone(image: Measured) -> Pixels:
    """Draw nuclei and ground each in one colour: sizes, shapes and places alone are left."""
    nucleus = image.pixels[image.labels > 0].mean(axis=0)
    return _drawn(image, np.where(image.labels[..., None] > 0, nucleus, _ground(image)))


VARIANTS: dict[str, Callable[[Measured], Pixels]] = {
    "as it is": as_it_is,
    "without chromatin": without_chromatin,
    "without ground": without_ground,
    "outlines alone": outlines_alone,
}


def _flat_nuclei(image: Measured) -> NDArray[np.float64]:
    flat = image.labels.ravel()
    count = np.maximum(np.bincount(flat), 1)
    means = np.stack([np.bincount(flat, image.pixels[..., colour].ravel()) / count for colour in range(3)], axis=1)
    filled: NDArray[np.float64] = np.where(image.labels[..., None] > 0, means[image.labels], image.pixels)
    return filled


def _ground(image: Measured) -> NDArray[np.float64]:
    colour: NDArray[np.float64] = np.median(image.pixels[image.labels == 0], axis=0)
    return colour


def _drawn(image: Measured, values: NDArray[Any]) -> Pixels:
    """Blur and noise for what was redrawn; all else keeps its pixels."""
    redrawn = (values != image.pixels).any(axis=-1, keepdims=True)
    soft = ndimage.gaussian_filter(values.astype(np.float64), (BLUR_PX, BLUR_PX, 0))
    soft += np.random.default_rng(0).normal(0, NOISE, soft.shape)
    return np.clip(np.where(redrawn, soft, image.pixels) + 0.5, 0, 255).astype(np.uint8)


def limits(estimator: Estimator, images: tuple[Measured, ...]) -> dict[str, Any]:
    """Agreement of each variant, and rank correlations of the errors on the images as they are."""
    truth = np.array([image.log2_weighted for image in images])
    log2_k = np.log2(estimator.mpp_per_um)
    found = {
        name: estimator.log2_of_fields([Field(change(image), MPP) for image in images]) - log2_k
        for name, change in VARIANTS.items()
    }
    error = found["as it is"] - truth
    error_on_drawn = found["outlines alone"] - truth
    return {
        "variants": {name: agreement(truth, values) for name, values in found.items()},
        "errors_go_with": {name: _going_with(values, error) for name, values in measured(images).items()}
        | {"error on outlines alone": _going_with(error_on_drawn, error)},
        "sd_of_truth_octaves": float(np.sqrt(np.mean([uncertainty(image) ** 2 for image in images]))),
    }


def _going_with(values: NDArray[np.float64], error: NDArray[np.float64]) -> dict[str, Any]:
    known = np.isfinite(values) & np.isfinite(error)
    first, second = values[known], error[known]
    return {
        "rank_correlation": spearman(first, second),
        "interval": interval(lambda drawn: spearman(first[drawn], second[drawn]), range(len(first))),
    }


def measured(images: tuple[Measured, ...]) -> dict[str, NDArray[np.float64]]:
    """Measure nuclei and colours of images, (image,) each."""
    return {
        "log2 radius": np.array([image.log2_weighted for image in images]),
        "share of area covered": np.array([np.mean(image.labels > 0) for image in images]),
        "spread of radii": np.array([float(np.std(np.log2(image.radius_um))) for image in images]),
        "contrast of nuclei": np.array(
            [float(np.log2(_ground(i).mean() / i.pixels[i.labels > 0].mean())) for i in images]
        ),
        "chromatin": np.array([_chromatin(image) for image in images]),
    }


def _chromatin(image: Measured) -> float:
    """Compute the standard deviation of grey levels within nuclei."""
    inside = image.labels > 0
    return float((image.pixels - _flat_nuclei(image)).mean(axis=-1)[inside].std())


def uncertainty(image: Measured, draws: int = 200) -> float:
    """Bootstrap the standard error of the measured radius over nuclei, octaves."""
    rng = np.random.default_rng(0)
    ordered = [np.sort(rng.choice(image.radius_um, len(image.radius_um))) for _ in range(draws)]
    areas = [np.cumsum(radius**2) for radius in ordered]
    medians = [r[np.searchsorted(area, area[-1] / 2)] for r, area in zip(ordered, areas, strict=True)]
    return float(np.std(np.log2(medians)))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth.limits", description="What limits agreement.")
    parser.add_argument("--network", default="embedded")
    network = parser.parse_args().network
    figures = rounded(limits(searching(network, "covariant"), measured_images(data_root())))
    target = RESULTS / f"truth_limits_{Path(network).stem}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(target.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
