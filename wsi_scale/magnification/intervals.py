"""Conformal intervals: they contain the truth as often as stated."""

import math

import numpy as np
from numpy.typing import NDArray


def conformal_quantile(scores: NDArray[np.floating], coverage: float) -> float:
    """Bound below which a new score lies with probability ``coverage`` (split conformal, Vovk et al. 2005, §4.2).

    The ⌈(n + 1) · coverage⌉-th smallest; with too few scores for that rank, the largest one times the shortfall
    of ranks. Scores may be errors, or errors over a difficulty (Papadopoulos et al. 2008: normalised scores).

    Parameters
    ----------
    scores
        (n,) of slides never fitted on, all ≥ 0.

    >>> conformal_quantile(np.arange(1, 10) / 10, 0.9)
    0.9
    """
    ordered = np.sort(np.abs(scores))
    if not len(ordered):
        return math.nan
    rank = math.ceil((len(ordered) + 1) * coverage)
    if rank <= len(ordered):
        return float(ordered[rank - 1])
    return float(ordered[-1]) * rank / len(ordered)
