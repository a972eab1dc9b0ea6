"""Paired comparison of arms on the same units, with bootstrap intervals over them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.helps.images import Floats

RESAMPLINGS, SEED = 2000, 2026


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float | np.floating[Any], drawn: Floats) -> "Interval":
        """Take the interval from resamplings."""
        low, high = np.nanquantile(drawn, (0.025, 0.975))
        return cls(round(float(value), 4), round(float(low), 4), round(float(high), 4))

    def __str__(self) -> str:
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def resampled(groups: NDArray[np.generic], figure: Callable[[NDArray[np.int64]], Floats]) -> tuple[Floats, Floats]:
    """Compute figures on all units, and on resamplings of their groups.

    Parameters
    ----------
    groups
        (unit,) what is drawn together: image, case or patient.
    figure
        Rows → (figure,).

    Returns
    -------
    whole, drawn
        (figure,) and (resampling, figure).
    """
    rng = np.random.default_rng(SEED)
    _, place = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(place == number) for number in range(place.max() + 1)]
    picks = rng.integers(len(members), size=(RESAMPLINGS, len(members)))
    drawn = np.stack([figure(np.concatenate([members[number] for number in pick])) for pick in picks])
    return figure(np.arange(len(place))), drawn


def auc(decision: Floats, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: share of pairs in the right order (Mann & Whitney), ties counting half."""
    ranks, count = rankdata(decision), int(positive.sum())
    others = len(positive) - count
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others)) if count * others else np.nan
