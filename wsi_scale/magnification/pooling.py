"""From views of a slide at several downsamples to one estimate for level 0."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: µm per pixel within which a view is trusted; outside, its estimate is pulled inwards.
TRUSTED_MPP = (0.2, 3.2)
#: The estimate's own range; outside it the estimator abstains.
ANSWERED_MPP = (0.2, 4.0)
#: Views that disagree by more than this (octaves, between downsamples) are no basis for an estimate.
MAX_DISAGREEMENT_OCTAVES = 0.8


@dataclass(frozen=True)
class Pooled:
    """One estimate for level 0.

    Attributes
    ----------
    log2_mpp
        NaN where no view is trusted.
    disagreement_octaves
        Range of the downsamples' medians.
    by_downsample
        Downsample → median log2 mpp for level 0.
    views
        Views used.
    """

    log2_mpp: float
    disagreement_octaves: float
    by_downsample: dict[int, float]
    views: int


def pool_views(log2_mpp: NDArray[np.floating], downsamples: NDArray[np.integer]) -> Pooled:
    """Pool the estimates of views, each at its own downsample of level 0.

    A view says log2 of its own mpp; less log2 of its downsample that is level 0's. Where that leads to, some
    downsamples lie outside 0.2–3.2 µm/px: their views were pulled inwards, so they are left out, and the rest
    is pooled again.

    Parameters
    ----------
    log2_mpp
        (view,) estimates at the view's own downsample.
    downsamples
        (view,).
    """
    octaves = np.log2(downsamples)
    level0 = np.asarray(log2_mpp, np.float64) - octaves
    used = np.ones(len(level0), bool)
    for _ in range(2):
        middle = float(np.median(level0[used])) if used.any() else float("nan")
        seen_at = middle + octaves
        inside = (seen_at >= np.log2(TRUSTED_MPP[0])) & (seen_at <= np.log2(TRUSTED_MPP[1]))
        used = inside if inside.any() else used
    medians = {int(d): float(np.median(level0[used & (downsamples == d)])) for d in np.unique(downsamples[used])}
    middle = float(np.median(level0[used])) if used.any() else float("nan")
    spread = max(medians.values()) - min(medians.values()) if medians else float("nan")
    return Pooled(middle, spread, medians, int(used.sum()))


def why_abstain(pooled: Pooled) -> str:
    """Why there is no estimate to be given, in one line; "" where there is one."""
    if pooled.views == 0 or not np.isfinite(pooled.log2_mpp):
        return "no tissue to look at"
    mpp = 2**pooled.log2_mpp
    if not ANSWERED_MPP[0] * 2**-0.25 <= mpp <= ANSWERED_MPP[1]:
        return f"looks like {mpp:.2g} µm/px, outside the {ANSWERED_MPP[0]}–{ANSWERED_MPP[1]} that can be told"
    if pooled.disagreement_octaves > MAX_DISAGREEMENT_OCTAVES:
        return f"downsampled views disagree by {pooled.disagreement_octaves:.1f} octaves: unlike the tissue learnt from"
    return ""
