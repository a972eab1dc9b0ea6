"""How far the radius that the search reads off a single field can be trusted, by its confidence."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.helps.fields import FIELD_PX, MPP, read_fields
from benchmarks.helps.images import Floats
from benchmarks.helps.judge import Interval, resampled
from benchmarks.helps.rulers import SearchRuler

TERTILES = ("least", "middle", "most")


def measure_radius(root: Path, network: str) -> dict[str, Any]:
    """Errors on MoNuSeg's fields, and on its images, by the confidence of a network's search."""
    fields = read_fields(root)
    found = SearchRuler(network).search(fields.images, MPP * FIELD_PX, "nuclei")
    usable = (fields.dataset == "monuseg") & np.isfinite(found.radius_um) & np.isfinite(fields.radius_um)
    read, confidence = np.log2(found.radius_um[usable]), found.confidence[usable]
    image = fields.image[usable]
    truths = {"weighted by area": fields.weighted_radius_um, "plain": fields.radius_um}
    return {
        "fields": int(usable.sum()),
        "images": len(np.unique(image)),
        "answered": round(float(np.isfinite(found.radius_um[fields.dataset == "monuseg"]).mean()), 4),
    } | {name: _against(read, np.log2(truth[usable]), confidence, image) for name, truth in truths.items()}


def _against(read: Floats, truth: Floats, confidence: Floats, image: NDArray[np.str_]) -> dict[str, Any]:
    """Errors after one bias, octaves."""
    error = read - truth
    names, place = np.unique(image, return_inverse=True)
    means = [np.average(error[place == number], weights=confidence[place == number]) for number in range(len(names))]
    share = 1 / np.bincount(place)[place]
    third = np.searchsorted(np.quantile(confidence, (1 / 3, 2 / 3)), confidence)

    def figures(rows: NDArray[np.int64]) -> Floats:
        bias = np.median(error[rows])
        centred, by_image = error[rows] - bias, np.array(means)[place[rows]] - bias
        spreads = [_spread(centred[third[rows] == number]) for number in range(len(TERTILES))]
        rank = _rank_correlation(confidence[rows], np.abs(centred))
        images = float(np.sqrt(np.average(by_image**2, weights=share[rows])))
        constant = _spread(truth[rows] - np.median(truth[rows]))
        return np.array([*spreads, spreads[0] - spreads[2], _spread(centred), rank, images, constant])

    whole, drawn = resampled(image, figures)
    rows = [f"sd, {name} confident third" for name in TERTILES]
    rows += [
        "least less most",
        "sd of all",
        "rank correlation of confidence and error",
        "sd by image",
        "sd of a constant",
    ]
    return {name: Interval.of(whole[index], drawn[:, index]) for index, name in enumerate(rows)} | {
        "bias": round(float(np.median(error)), 4),
        "points": np.stack([confidence, error - np.median(error), third], axis=1).round(4).tolist(),
    }


def _spread(values: Floats) -> float:
    """Root mean square: the bias has been taken out of all fields together."""
    return float(np.sqrt(np.mean(values**2))) if len(values) else np.nan


def _rank_correlation(one: Floats, other: Floats) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)
