"""Figures of a variant: on drawn scenes of known radius, and on real tissue seen at two scales."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.truth.figures import deviation
from benchmarks.variants.estimators import Fitted
from benchmarks.variants.observed import PARTS, Observed, row_median

#: Of the bootstrap.
DRAWS = 2000


@dataclass(frozen=True)
class Figures:
    """How well a variant follows size.

    Attributes
    ----------
    slope
        Of log2 estimated on log2 planted radius; 1 is right.
    deviation
        Root mean square of their difference less its median, octaves.
    answered
        Share of scenes with an answer.
    tissue_median, tissue_p90
        Of |octaves moved − 1| where real tissue is half as large.
    tissue_answered
        Share of regions with an answer at both scales.
    channels
        Calibrated.
    errors, tissue_errors
        (scene,) and (region,), octaves; NaN without an answer.
    """

    slope: float
    deviation: float
    answered: float
    tissue_median: float
    tissue_p90: float
    tissue_answered: float
    channels: int
    errors: NDArray[np.float64] = field(repr=False)
    tissue_errors: NDArray[np.float64] = field(repr=False)

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return {name: float(value) for name, value in vars(self).items() if np.ndim(value) == 0}

    def changes_from(self, other: "Figures") -> dict[str, tuple[float, float, float]]:
        """Return how much larger than another variant's its deviation and median tissue error are, with 95 % intervals.

        Only scenes and regions that both answer count; they are drawn again together (2,000 times).
        """
        pairs = {
            "deviation": (self.errors, other.errors, deviation),
            "tissue_median": (self.tissue_errors, other.tissue_errors, _median_size),
        }
        return {name: _change(mine, theirs, figure) for name, (mine, theirs, figure) in pairs.items()}


def figures_of(fitted: Fitted, scenes: Observed, radius_um: NDArray[np.float64], pairs: Observed) -> Figures:
    """Measure a fitted variant on scenes and regions that it was not calibrated on."""
    found, planted = fitted.log2_radius(scenes), np.log2(radius_um)
    answered = np.isfinite(found)
    slope = np.polyfit(planted[answered], found[answered], 1)[0] if answered.sum() > 2 else np.nan
    wrong = octaves_moved(fitted.log2_radius(pairs)) - 1
    both = np.isfinite(wrong)
    return Figures(
        float(slope),
        deviation(found - planted),
        float(answered.mean()),
        _median_size(wrong[both]),
        float(np.percentile(np.abs(wrong[both]), 90)) if both.any() else math.nan,
        float(both.mean()),
        fitted.channels,
        found - planted,
        wrong,
    )


def _median_size(errors: NDArray[np.float64]) -> float:
    return float(np.median(np.abs(errors))) if len(errors) else math.nan


def _change(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], figure: Callable[[NDArray[np.float64]], float]
) -> tuple[float, float, float]:
    both = np.isfinite(mine) & np.isfinite(theirs)
    mine, theirs = mine[both], theirs[both]
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(mine), size=len(mine)) for _ in range(DRAWS)] if len(mine) else []
    changes = [figure(mine[rows]) - figure(theirs[rows]) for rows in drawn]
    if not changes:
        return math.nan, math.nan, math.nan
    low, high = np.percentile(changes, (2.5, 97.5))
    return figure(mine) - figure(theirs), float(low), float(high)


def octaves_moved(log2_radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """(region,) octaves from the shrunken region to the median of its fields; NaN without both answers."""
    each = log2_radius.reshape(-1, PARTS + 1)
    return row_median(each[:, :PARTS]) - each[:, PARTS]
