"""Positions and labels of axis ticks."""

import math
from collections.abc import Iterator

#: Steps within a decade, from few ticks to many.
_MANTISSAS = (
    (1.0,),
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
)
#: An axis has at least this many ticks where it can, and at most this many.
_FEWEST, _MOST = 3, 7
#: Labels of three digits that are nearer than this share of the axis would touch.
_LEAST_GAP = 0.16


def log_ticks(low: float, high: float) -> list[float]:
    """Round values for a logarithmic axis.

    Parameters
    ----------
    low, high
        Ends of the axis, both above 0.

    Examples
    --------
    >>> log_ticks(0.25, 4.0)
    [0.5, 1.0, 2.0]
    >>> log_ticks(0.9, 1.8)
    [1.0, 1.2, 1.4, 1.6, 1.8]
    """
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for mantissas in _MANTISSAS:
        values = [float(f"{m * 10.0**decade:.6g}") for decade in decades for m in mantissas]
        ticks = [v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(ticks) >= _FEWEST:
            return ticks[:: -(-len(ticks) // _MOST)]
    even = next(even for even in _even_ticks(low, high) if _apart(even, high / low))
    return max(even, ticks, key=len)


def _even_ticks(low: float, high: float) -> Iterator[list[float]]:
    """Ticks at equal differences, from many to none: within an octave or so a logarithmic axis is nearly even."""
    decade = math.floor(math.log10(high - low)) - 1
    for exponent in range(decade, decade + 4):
        for mantissa in (1, 2, 5):
            step = mantissa * 10.0**exponent
            counts = range(math.ceil(low / step * (1 - 1e-9)), math.floor(high / step * (1 + 1e-9)) + 1)
            yield [float(f"{count * step:.6g}") for count in counts]


def _apart(ticks: list[float], ratio: float) -> bool:
    """Whether the labels of evenly spaced ticks on an axis of this ratio do not touch; the last two are nearest."""
    return len(ticks) < 2 or math.log(ticks[-1] / ticks[-2]) >= _LEAST_GAP * math.log(ratio)


def linear_ticks(length: float) -> list[float]:
    """Round values from 0 to ``length``.

    Examples
    --------
    >>> linear_ticks(12.5)
    [0.0, 5.0, 10.0]
    """
    step = 10.0 ** math.floor(math.log10(length / _FEWEST))
    step *= next(m for m in (5, 2, 1) if length / (m * step) >= _FEWEST - 1 or m == 1)
    return [float(f"{k * step:.6g}") for k in range(math.floor(length / step * (1 + 1e-9)) + 1)]


def short(value: float) -> str:
    """Label a tick with three digits and no trailing zeros.

    Examples
    --------
    >>> short(0.5), short(2.0), short(1200.0)
    ('0.5', '2', '1200')
    """
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def round_length(most: float) -> float:
    """Find the longest length of 1, 2 or 5 times a power of ten that is no longer than ``most``.

    Examples
    --------
    >>> round_length(270.0), round_length(1000.0), round_length(0.7)
    (200.0, 1000.0, 0.5)
    """
    power = 10.0 ** math.floor(math.log10(most))
    return next(times * power for times in (5, 2, 1) if times * power <= most * (1 + 1e-9))
