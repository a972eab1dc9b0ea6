"""The shipped estimator on slides and images of other laboratories and scanners."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from benchmarks.magnification.draws import image_draws, resampled
from benchmarks.magnification.estimators import answers_of
from benchmarks.magnification.figures import by_source, error_figures, median_over_sources
from benchmarks.sources import Source, read_sources
from wsi_scale.learning.estimator import Estimator
from wsi_scale.magnification.pooling import view_weights
from wsi_scale.units import mpp_from_power

#: Coarsest mpp that the estimator is made for, µm per pixel.
COARSEST_MPP = 4.0
#: Magnifications that are compared, the side of their tiles, and the most tiles of an image.
POWERS = (5, 8, 10, 15, 20, 30, 40)
TILE_PX, MOST_TILES = 124, 16
#: Least tissue_fraction of a field that counts as tissue.
LEAST_TISSUE = 0.3


def measure(root: Path, estimator: Estimator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Errors by source, abstention on overviews, and kappa over seven magnifications."""
    other, nuclei = read_sources(root / "tissue_other" / "crops.tsv"), read_sources(root / "nuclei" / "images.tsv")
    answers = answers_of(estimator, image_draws([*other, *nuclei]))
    within = [answer for answer in answers if answer.mpp <= COARSEST_MPP]
    rows = by_source(within)
    tnbc = {"tnbc": rows.pop("tnbc")}
    overviews = [answer for answer in answers if answer.mpp > COARSEST_MPP]
    monuseg = [source for source in nuclei if source.name == "monuseg"]
    kappa = seven_magnifications(estimator, monuseg)
    keys = {
        "elsewhere_median_octaves": median_over_sources(rows),
        "abstained_out_of_range": round(float(np.mean([bool(answer.reason) for answer in overviews])), 4),
        "kappa_7": kappa["kappa"],
    }
    tissue = [source for source in other if source.tissue_fraction >= LEAST_TISSUE and source.mpp <= COARSEST_MPP]
    native = [source for source in tissue if 0.48 <= source.mpp <= 0.52]
    return keys, {
        "sources": rows,
        "beside": tnbc,
        "kappa_7": kappa,
        "native_20x_elsewhere": error_figures(answers_of(estimator, image_draws(native))),
        "overviews": [(answer.case, answer.mpp, answer.reason) for answer in overviews],
    }


def seven_magnifications(estimator: Estimator, sources: Sequence[Source]) -> dict[str, Any]:
    """Unweighted kappa of the power nearest to the predicted mpp, one answer an image and power.

    Tiles of one size at every power; an answer pools the image's tiles at that power (one at 5x, up to 16).
    """
    estimates = np.array([[_image_at(estimator, source, power) for power in POWERS] for source in sources])
    truth = np.broadcast_to(np.log2([mpp_from_power(power) for power in POWERS]), estimates.shape)
    bias = float(np.median(estimates - truth))
    test = np.array([source.split == "test" for source in sources])
    rng = np.random.default_rng(0)
    drawn = [_kappa(estimates[pick] - bias) for pick in rng.integers(len(estimates), size=(1000, len(estimates)))]
    return {
        "kappa": _kappa(estimates - bias),
        "interval": [round(float(value), 4) for value in np.percentile(drawn, (2.5, 97.5))],
        "raw": _kappa(estimates),
        "bias_octaves": round(bias, 4),
        "images": len(sources),
        "test_split": _kappa(estimates[test] - bias),
    }


def _image_at(estimator: Estimator, source: Source, power: float) -> float:
    image = resampled(source.pixels(), source.mpp, mpp_from_power(power))
    tiles = estimator.regressor.predict_tiles(estimator.features(_tiles(image)))
    return float(np.average(tiles.log2_mpp, weights=view_weights(tiles)))


def _tiles(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, cols = (extent // TILE_PX for extent in image.shape[:2])
    corners = [(row * TILE_PX, col * TILE_PX) for row in range(rows) for col in range(cols)]
    picked = [corners[i] for i in np.linspace(0, len(corners) - 1, min(len(corners), MOST_TILES)).round().astype(int)]
    return np.stack([image[row : row + TILE_PX, col : col + TILE_PX] for row, col in picked])


def _kappa(log2_mpp: NDArray[np.float64]) -> float:
    targets = np.log2([mpp_from_power(power) for power in POWERS])
    nearest = np.abs(log2_mpp[..., None] - targets).argmin(axis=-1)
    truth = np.broadcast_to(np.arange(len(POWERS)), nearest.shape)
    return round(float(cohen_kappa_score(truth.ravel(), nearest.ravel())), 4)
