"""Intervals that hold the truth as often as they say."""

import math

import numpy as np
from numpy.typing import NDArray


def conformal_half_width(residuals: NDArray[np.floating], coverage: float) -> float:
    """Half width of a split-conformal interval from absolute residuals of slides never fitted on.

    The ⌈(n + 1) · coverage⌉-th smallest (Vovk et al. 2005, §4.2); with too few residuals for that rank, the
    largest one times the shortfall of ranks.

    >>> conformal_half_width(np.arange(1, 10) / 10, 0.9)
    0.9
    """
    ordered = np.sort(np.abs(residuals))
    rank = math.ceil((len(ordered) + 1) * coverage)
    if rank <= len(ordered):
        return float(ordered[rank - 1])
    return float(ordered[-1]) * rank / len(ordered)
