"""Pillow's antialiased triangle (``BILINEAR``) on any torch device, equal to the last bit.

Each axis is a product with a matrix of weights, with 8-bit rounding in between. Pillow computes in whole numbers,
with weights of 22 binary places. Here a weight is the sum of two whole numbers of at most 11 bits, multiplied
separately: every factor is exact in float32, in TF32 as well (whatever a user has set for matrix products), and so is
every sum, as a whole number below 2^24. A filter is short, so the outputs of an axis are taken in runs: each run is a
small product with the pixels that it needs.

The horizontal axis comes first, as in Pillow. From Pillow 13 on, an image that loses more than twice as many rows as
columns is shrunk vertically first; the rounding in between then differs, and some pixels by one grey level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

#: Binary places of Pillow's weights (PRECISION_BITS in src/libImaging/Resample.c).
PLACES = 22
#: Longest run of outputs that share one product: longer ones multiply more zeros, shorter ones fetch pixels twice.
RUN_PX = 64
#: Sets of weights that stay on the device; a block of tiles needs two for each rung.
KEPT_SETS = 64


@dataclass(frozen=True)
class Cut:
    """A field within a region of pixels.

    Parameters
    ----------
    window
        (left, top, right, bottom): the pixels of the region that the filter may see, as whole numbers.
    box
        (left, top, right, bottom): the field in pixels of the window, as Pillow's ``resize(box=…)`` takes it.
    """

    window: tuple[int, int, int, int]
    box: tuple[float, float, float, float]


class _Span(NamedTuple):
    """One axis of a cut: pixels of its window, and the ends of its box."""

    extent: int
    start: float
    stop: float


class _Runs(NamedTuple):
    """Weights of one axis, in runs of outputs.

    Attributes
    ----------
    pixel
        (span, run, pixel): its place in the window, int64.
    weights
        (span, run, pixel, 2 · output): the upper, then the lower part of the weights, float32.
    places
        Binary places of the lower part.
    """

    pixel: torch.Tensor
    weights: torch.Tensor
    places: int


class Resampler:
    """Resamples fields to squares on one device, and keeps there the weights it used last.

    Weights depend on the fractions of a pixel at which a box starts and ends: for tiles of one grid these are few.
    Nothing here waits for the device, except where weights that are not kept yet are copied to it. All calls must be
    on the same CUDA stream: another would not wait for weights that this one is still copying.

    Parameters
    ----------
    device
        Of the pixels and of the results.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self._kept = lru_cache(KEPT_SETS)(self._runs)

    def resample(self, region: torch.Tensor, cuts: Sequence[Cut], size: int) -> torch.Tensor:
        """Resample fields cut from one region.

        Parameters
        ----------
        region
            (row, col, rgb) uint8.
        cuts
            One a field. Their windows may overlap, and differ in size.
        size
            Side of the results in pixels.

        Returns
        -------
        images
            (field, size, size, rgb) uint8, each equal to ``Image.resize((size, size), BILINEAR, box)`` of its window.

        Raises
        ------
        ValueError
            A box is more than 255 times as large as its result.
        """
        columns, column_of = _distinct([_Span(c.window[2] - c.window[0], c.box[0], c.box[2]) for c in cuts])
        rows, row_of = _distinct([_Span(c.window[3] - c.window[1], c.box[1], c.box[3]) for c in cuts])
        corners = [(cut.window[0], cut.window[1]) for cut in cuts]
        # For up to 2048 fields these are 64 KB or less, which CUDA copies without waiting for the device.
        left, top, columns_at, rows_at = self._placed(np.array([*zip(*corners, strict=True), column_of, row_of]))
        across = _of_fields(self._kept(columns, size), columns_at, len(columns))
        down = _of_fields(self._kept(rows, size), rows_at, len(rows))
        height = max(span.extent for span in rows)
        # A lower window than the highest would reach beyond the region; its weights there are zero.
        row = (top[:, None] + torch.arange(height, device=self.device)).clamp_(max=region.shape[0] - 1)
        column = left[:, None, None] + across.pixel
        squeezed = _horizontal(region[row[:, :, None, None], column[:, None]], across)[:, :, :size]
        field = torch.arange(len(cuts), device=self.device)[:, None, None]
        return _vertical(squeezed[field, down.pixel], down)[:, :size]

    def _runs(self, spans: tuple[_Span, ...], size: int) -> _Runs:
        index, weights, places = _make_runs(spans, size)
        return _Runs(self._placed(index), self._placed(weights), places)

    def _placed(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)


def resampling_weights(
    extent: int, start: float, stop: float, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights of the triangle along one axis, as Pillow computes them.

    Follows ``precompute_coeffs`` and ``normalize_coeffs_8bpc`` of Pillow's src/libImaging/Resample.c.

    Parameters
    ----------
    extent
        Pixels of the input.
    start, stop
        Ends of the box in pixels of the input; Pillow holds them in single precision.
    size
        Pixels of the output.

    Returns
    -------
    first
        (output,): the first input pixel of each output.
    weights
        (output, tap): weights of the pixels from there on, in units of 2^-22.

    >>> first, weights = resampling_weights(4, 0.0, 4.0, 2)
    >>> first.tolist(), (weights * 8 / 2**22).round(2).tolist()
    ([0, 1], [[3.43, 3.43, 1.14, 0.0, 0.0], [1.14, 3.43, 3.43, 0.0, 0.0]])
    """
    begin, end = np.float32(start), np.float32(stop)
    scale = float(end - begin) / size
    support = max(scale, 1.0)
    centre = float(begin) + (np.arange(size) + 0.5) * scale
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    beyond = np.minimum((centre + support + 0.5).astype(np.int64), extent)
    taps = first[:, None] + np.arange(int(np.ceil(support)) * 2 + 1)
    values = np.maximum(1 - np.abs((taps - centre[:, None] + 0.5) * (1 / support)), 0)
    values[taps >= beyond[:, None]] = 0
    # cumsum adds one after the other, as the loop in C does; sum adds in another order.
    values /= np.cumsum(values, axis=1)[:, -1:]
    return first, (values * 2**PLACES + 0.5).astype(np.int64)


_weights = lru_cache(1024)(resampling_weights)


def _distinct(spans: Sequence[_Span]) -> tuple[tuple[_Span, ...], list[int]]:
    """Return the spans that differ, in a fixed order, and which of them each is."""
    distinct = tuple(sorted(set(spans)))
    number = {span: index for index, span in enumerate(distinct)}
    return distinct, [number[span] for span in spans]


def _make_runs(spans: Sequence[_Span], size: int) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Lay the weights of spans into runs of outputs: ``_Runs`` as arrays."""
    made = [_weights(span.extent, span.start, span.stop, size) for span in spans]
    run = -(-size // -(-size // RUN_PX))
    starts = np.arange(0, size, run)
    run_of = np.arange(size) // run
    taps = [first[:, None] + np.arange(weights.shape[1]) for first, weights in made]
    most = max(weights.shape[1] for _, weights in made)
    places = _lower_places(most)
    width = max(int((tap - tap[starts, :1][run_of]).max()) + 1 for tap in taps)
    index = np.zeros((len(spans), len(starts), width), np.int64)
    parts = np.zeros((len(spans), len(starts), width, 2, run), np.float32)
    output = np.arange(size)
    for number, (span, tap, (_, weights)) in enumerate(zip(spans, taps, made, strict=True)):
        base = tap[starts, 0]
        index[number] = np.minimum(base[:, None] + np.arange(width), span.extent - 1)
        upper = (weights + 2 ** (places - 1)) >> places
        at = run_of[:, None], tap - base[run_of][:, None]
        parts[number][*at, 0, (output % run)[:, None]] = upper
        parts[number][*at, 1, (output % run)[:, None]] = weights - (upper << places)
    return index, parts.reshape(*parts.shape[:3], 2 * run), places


def _lower_places(taps: int) -> int:
    """Binary places of a weight's lower part, so that all sums of a filter of so many taps are exact.

    With p places, the lower parts are at most 2^(p-1) and their sum with pixels at most taps · 2^(p-1) · 255 < 2^24.
    The upper parts are at most 2^(22-p) / scale, that is 11 bits in either case.

    Raises
    ------
    ValueError
        The filter is longer than can be computed exactly.
    """
    if taps > 512:
        raise ValueError(f"the filter has {taps} taps; read a coarser level, 512 at most can be computed")
    return 11 if taps <= 64 else 8


def _of_fields(runs: _Runs, number: torch.Tensor, distinct: int) -> _Runs:
    """Return index and weights of each field; one set for all is not copied."""
    if distinct == 1:
        return runs
    return _Runs(runs.pixel[number], runs.weights[number], runs.places)


def _horizontal(pixels: torch.Tensor, runs: _Runs) -> torch.Tensor:
    """Map (field, row, run, pixel, rgb) to (field, row, col, rgb), whole numbers as float32."""
    count, height, groups, width, colours = pixels.shape
    planes = pixels.permute(0, 2, 1, 4, 3).to(torch.float32, memory_format=torch.contiguous_format)
    sums = _product(planes.reshape(count, groups, height * colours, width), runs.weights)
    rounded = _rounded(sums, -1, runs.places).reshape(count, groups, height, colours, -1)
    return rounded.permute(0, 2, 1, 4, 3).reshape(count, height, -1, colours)


def _vertical(pixels: torch.Tensor, runs: _Runs) -> torch.Tensor:
    """Map (field, run, pixel, col, rgb) to (field, row, col, rgb), uint8."""
    count, groups, height, width, colours = pixels.shape
    sums = _product(runs.weights.transpose(-1, -2), pixels.reshape(count, groups, height, width * colours))
    rounded = _rounded(sums, -2, runs.places)
    return rounded.reshape(count, -1, width, colours).to(torch.uint8)


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Multiply matrices in float32, also where the caller's autocast would shorten the factors."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right


def _rounded(sums: torch.Tensor, axis: int, places: int) -> torch.Tensor:
    """Divide upper and lower sums by 2^22, rounded half up: ⌊(upper · 2^p + lower + 2^21) / 2^22⌋, exact in float32."""
    upper, lower = sums.chunk(2, dim=axis)
    half = 2.0 ** (PLACES - 1 - places)
    carried = lower.mul_(2.0**-places).floor_().add_(upper).add_(half)
    return carried.mul_(2.0 ** (places - PLACES)).floor_()
