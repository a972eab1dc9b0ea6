"""From views of a slide at several downsamples to one estimate for level 0."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.head import TilePredictions

#: µm per pixel within which a view is trusted; outside, its estimate is pulled inwards.
TRUSTED_MPP = (0.2, 4.0)
#: The estimate's own range; outside it the estimator abstains.
ANSWERED_MPP = (0.2, 4.0)
#: Views that disagree by more than this (octaves, between downsamples) are no basis for an estimate.
MAX_DISAGREEMENT_OCTAVES = 0.8
#: With at least this many downsamples, an outlier among them is left out of their disagreement.
ENOUGH_DOWNSAMPLES = 3
#: Mean probability of tissue over the views below which there is no estimate.
LEAST_TISSUE = 0.5
#: Half width of the 90 % interval (octaves) from which on 20x and 40x cannot be told apart: no answer at all.
MAX_HALF_WIDTH_OCTAVES = 1.0
#: Share of that half width that has to lie within the answered range at its coarse end: beyond it, views that
#: would tell are missing, and estimates are pulled inwards.
COARSE_MARGIN = 1 / 3
#: Spread below which a view's confidence in itself is not believed any further, octaves.
LEAST_SPREAD_OCTAVES = 0.1


@dataclass(frozen=True)
class Pooled:
    """One estimate for level 0.

    Attributes
    ----------
    log2_mpp
        NaN if no view is trusted.
    difficulty_octaves
        A measure to which the error should be proportional: spread within and disagreement between views.
    disagreement_octaves
        Range of the downsamples' medians; of three and more, without the one farthest from the estimate.
    tissue
        Mean probability that a view shows brightfield tissue.
    by_downsample
        Downsample (the nearest power of two) → median log2 mpp for level 0.
    views
        Views used.
    """

    log2_mpp: float
    difficulty_octaves: float
    disagreement_octaves: float
    tissue: float
    by_downsample: dict[int, float]
    views: int


def pool_views(predictions: TilePredictions, downsamples: NDArray[np.number]) -> Pooled:
    """Pool the estimates of views, each at its own downsample of level 0.

    Each view estimates log2 of its own mpp; minus log2 of its downsample, this is an estimate for level 0. The result
    is their median, weighted by the inverse of each view's predicted variance and by its probability of tissue, so
    that glass and plain stroma count little. Views whose downsample puts them outside the estimable range at this
    result are then left out, and the others are pooled again.

    Parameters
    ----------
    predictions
        Of the views, each for its own downsample.
    downsamples
        (view,).
    """
    octaves = np.log2(downsamples)
    level0 = predictions.log2_mpp - octaves
    weights = view_weights(predictions)
    used = np.ones(len(level0), bool)
    for _ in range(2):
        seen_at = weighted_median(level0[used], weights[used]) + octaves
        inside = (seen_at >= np.log2(TRUSTED_MPP[0])) & (seen_at <= np.log2(TRUSTED_MPP[1]))
        used = inside if inside.any() else used
    if not used.any():
        return Pooled(float("nan"), float("nan"), float("nan"), 0.0, {}, 0)
    nearest = np.round(octaves)
    medians = {
        int(2**octave): weighted_median(level0[used & (nearest == octave)], weights[used & (nearest == octave)])
        for octave in np.unique(nearest[used])
    }
    estimate = weighted_median(level0[used], weights[used])
    disagreement = _disagreement(list(medians.values()), estimate)
    own = np.sqrt(np.average(np.square(predictions.spread_octaves[used]), weights=weights[used] + 1e-12))
    return Pooled(
        log2_mpp=estimate,
        difficulty_octaves=float(np.hypot(own, disagreement)),
        disagreement_octaves=disagreement,
        tissue=float(predictions.tissue[used].mean()),
        by_downsample=medians,
        views=int(used.sum()),
    )


def _disagreement(medians: list[float], estimate: float) -> float:
    """Range of medians, octaves; where there are enough, the one farthest from the estimate does not count.

    The median is robust against one downsample that is wrong; how wrong it is does not predict the estimate's error
    (measured with one scanner held out: benchmarks/RESULTS.md).
    """
    ordered = sorted(medians, key=lambda median: abs(median - estimate))
    counted = ordered[:-1] if len(ordered) >= ENOUGH_DOWNSAMPLES else ordered
    return max(counted) - min(counted)


def view_weights(predictions: TilePredictions) -> NDArray[np.float64]:
    """Weight of each view, (view,): the inverse of its predicted variance, times its probability of tissue."""
    weights: NDArray[np.float64] = predictions.tissue / (
        np.square(predictions.spread_octaves) + LEAST_SPREAD_OCTAVES**2
    )
    return weights


def weighted_median(values: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    """Value with half of the weight on either side; NaN without values.

    >>> weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 1.0]))
    2.0
    """
    if not len(values):
        return float("nan")
    if not np.any(weights > 0):
        return float(np.median(values))
    order = np.argsort(values)
    ordered, share = np.asarray(values, np.float64)[order], np.cumsum(np.asarray(weights, np.float64)[order])
    return float(np.interp(share[-1] / 2, share - weights[order] / 2, ordered))


def why_abstain(pooled: Pooled) -> str:
    """Why there is no estimate, in one line; "" if there is one."""
    if pooled.views == 0 or not np.isfinite(pooled.log2_mpp):
        return "no tissue found"
    if pooled.tissue < LEAST_TISSUE:
        return f"does not look like brightfield tissue (probability of tissue {pooled.tissue:.0%})"
    mpp = 2**pooled.log2_mpp
    if not ANSWERED_MPP[0] * 2**-0.25 <= mpp <= ANSWERED_MPP[1]:
        return f"estimated from pixels: {mpp:.2g} µm/px, outside {ANSWERED_MPP[0]}–{ANSWERED_MPP[1]} µm/px"
    if pooled.disagreement_octaves > MAX_DISAGREEMENT_OCTAVES:
        return (
            f"downsampled views disagree by {pooled.disagreement_octaves:.1f} octaves: out of the training distribution"
        )
    return ""


def why_uncertain(pooled: Pooled, half_width_octaves: float) -> str:
    """Why an estimate is too uncertain to be given, in one line; "" if it is given.

    Parameters
    ----------
    half_width_octaves
        Of the interval that contains the truth for nine of ten slides.
    """
    mpp = 2**pooled.log2_mpp
    if half_width_octaves > MAX_HALF_WIDTH_OCTAVES:
        low, high = (2 ** (pooled.log2_mpp + sign * half_width_octaves) for sign in (-1, 1))
        return f"the estimate is too uncertain ({low:.2g}–{high:.2g} µm/px): out of the training distribution"
    if pooled.log2_mpp + COARSE_MARGIN * half_width_octaves > np.log2(ANSWERED_MPP[1]):
        return f"estimated from pixels: {mpp:.2g} µm/px, too close to {ANSWERED_MPP[1]}, the coarsest possible"
    return ""
