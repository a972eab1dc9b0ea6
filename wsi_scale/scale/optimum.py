"""Interior optima of response curves, between the rungs."""

import numpy as np
from numpy.typing import NDArray


def interior_optimum(curves: NDArray[np.floating], log2_mpp: NDArray[np.floating]) -> NDArray[np.float64]:
    """Find where each curve has its maximum, if that lies inside the ladder.

    The maximum is the vertex of the parabola through the highest rung and its neighbours, on an axis of
    log2 mpp that need not be evenly spaced. A curve whose highest finite rung is the first or last finite
    one has no interior optimum; nor has a constant curve.

    Parameters
    ----------
    curves
        (..., rung); NaN where a rung has no answer.
    log2_mpp
        (rung,), rising.

    Returns
    -------
    optimum
        (...,) in log2 mpp; NaN without an interior optimum.
    """
    x = np.asarray(log2_mpp, np.float64)
    y = np.asarray(curves, np.float64)
    finite = np.isfinite(y)
    filled = np.where(finite, y, -np.inf)
    peak = filled.argmax(axis=-1)
    first = finite.argmax(axis=-1)
    last = y.shape[-1] - 1 - finite[..., ::-1].argmax(axis=-1)
    inside = finite.any(axis=-1) & (peak > first) & (peak < last)
    middle = np.clip(peak, 1, y.shape[-1] - 2)
    y0, y1, y2 = (np.take_along_axis(filled, (middle + d)[..., None], -1)[..., 0] for d in (-1, 0, 1))
    # A plateau that reaches the last rung is no interior optimum, as one that begins at the first is none.
    inside &= np.take_along_axis(filled, last[..., None], -1)[..., 0] < y1
    inside &= np.isfinite(y0) & np.isfinite(y2) & (y1 > np.minimum(y0, y2))
    x0, x1, x2 = (x[middle + d] for d in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
        curvature = (right - left) / (x2 - x0)
        vertex = 0.5 * (x0 + x1) - left / (2 * curvature)
    vertex = np.clip(vertex, (x0 + x1) / 2, (x1 + x2) / 2)
    return np.where(inside, vertex, np.nan)


def peaks_at_an_end(curves: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each curve is highest at its first or last finite rung: its maximum may lie beyond the ladder.

    Parameters
    ----------
    curves
        (..., rung); NaN where a rung has no answer.

    Returns
    -------
    ndarray
        (...,) bool; False for a constant curve and for one without an answer.
    """
    y = np.asarray(curves, np.float64)
    finite = np.isfinite(y)
    first, last = finite.argmax(axis=-1), y.shape[-1] - 1 - finite[..., ::-1].argmax(axis=-1)
    ends = np.stack([np.take_along_axis(y, at[..., None], -1)[..., 0] for at in (first, last)])
    highest = np.where(finite, y, -np.inf).max(axis=-1)
    lowest = np.where(finite, y, np.inf).min(axis=-1)
    at_end: NDArray[np.bool_] = finite.any(axis=-1) & (lowest < highest) & np.any(ends == highest, axis=0)
    return at_end
