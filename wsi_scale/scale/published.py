"""The scale search as published: Penkin et al. 2022, as the authors' demo runs it (docs/science.md).

Each step is the demo's, except that pool 4 is applied once. Scales are signed: s ≥ 1 enlarges s times,
s ≤ −1 shrinks to 1/|s|, and 0 stands for the original.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The demo's 21 signed scales.
SIGNED_SCALES: tuple[float, ...] = (
    *(-3.0, -2.75, -2.5, -2.25, -2.0, -1.75, -1.5, -1.25, 0.0),
    *(1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0),
)


@dataclass(frozen=True)
class PublishedAnswer:
    """Results of the published search for tiles.

    Attributes
    ----------
    scale
        (tile,) factor by which the tile should be enlarged; NaN without a vote.
    beyond_ladder
        (tile,) whether there is no vote because most channels are highest and lowest at the ends of the grid.
    votes
        Layer → (tile,) signed scale; NaN without a vote.
    curves
        Layer → (tile, rung) mean response over the kept channels; NaN where none is kept.
    kept
        Layer → (tile,) share of channels kept.
    """

    scale: NDArray[np.float64]
    beyond_ladder: NDArray[np.bool_]
    votes: dict[str, NDArray[np.float64]]
    curves: dict[str, NDArray[np.float64]]
    kept: dict[str, NDArray[np.float64]]


def published_sizes(tile_px: int) -> tuple[int, ...]:
    """Side of the tile at each signed scale, truncated to whole pixels as the demo does.

    >>> published_sizes(224)[:3], published_sizes(224)[8:10], published_sizes(224)[-1]
    ((74, 81, 89), (224, 280), 896)
    """
    return tuple(int(tile_px * s) if s > 0 else int(tile_px / -s) if s < 0 else tile_px for s in SIGNED_SCALES)


def signed_to_factor(signed: NDArray[np.floating]) -> NDArray[np.float64]:
    """Read a signed scale, or a mean of such, as a factor.

    s ≥ 1 → s, s ≤ −1 → 1/|s|, anything between means the original (1).

    >>> signed_to_factor(np.array([2.0, -2.0, 0.625, np.nan])).tolist()
    [2.0, 0.5, 1.0, nan]
    """
    s = np.asarray(signed, np.float64)
    factor = np.where(s >= 1, s, 1.0)
    factor = np.where(s <= -1, 1 / np.where(s == 0, 1, np.abs(s)), factor)
    return np.where(np.isnan(s), np.nan, factor)


def search_published(responses: Mapping[str, NDArray[np.floating]]) -> PublishedAnswer:
    """Let each layer vote, and average the votes on the signed axis.

    Parameters
    ----------
    responses
        Layer → (tile, channel, rung): mean activation at the 21 signed scales.
    """
    votes, curves, kept = {}, {}, {}
    for layer, values in responses.items():
        votes[layer], curves[layer], kept[layer] = _layer_vote(np.asarray(values, np.float64))
    stacked = np.stack(list(votes.values()))
    answered = np.isfinite(stacked)
    count = answered.sum(axis=0)
    total = np.where(answered, stacked, 0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    varying = np.concatenate([_varies(np.asarray(values, np.float64)) for values in responses.values()], axis=1)
    beyond = (count == 0) & (varying.mean(axis=1) > 0.5)
    return PublishedAnswer(signed_to_factor(mean), beyond, votes, curves, kept)


def _layer_vote(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    keep = _keeps(values)
    count = keep.sum(axis=1)
    merged = np.where(keep[:, :, None], values, 0).sum(axis=1) / np.maximum(count, 1)[:, None]
    merged = np.where(count[:, None] > 0, merged, np.nan)
    return _extremum(merged), merged, count / values.shape[1]


def _keeps(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Keep a channel that is not constant and has its maximum or its minimum inside the grid."""
    return _varies(values) & (_is_inside(values.argmax(axis=-1)) | _is_inside(values.argmin(axis=-1)))


def _varies(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    varies: NDArray[np.bool_] = ~np.asarray(np.isclose(values.max(axis=-1), values.min(axis=-1)))
    return varies


def _extremum(merged: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed scale of the merged curve's extremum: the inner maximum, else the inner minimum, else none."""
    scales = np.array(SIGNED_SCALES)
    answered: NDArray[np.bool_] = np.all(np.isfinite(merged), axis=-1)
    filled = np.where(answered[:, None], merged, 0)
    top, bottom = filled.argmax(axis=-1), filled.argmin(axis=-1)
    top_inside, bottom_inside = _is_inside(top), _is_inside(bottom)
    # Where both are inside the demo compares magnitudes; the values are never negative, so the maximum wins.
    signed = np.where(top_inside, scales[top], np.where(bottom_inside, scales[bottom], np.nan))
    return np.where(answered, signed, np.nan)


def _is_inside(index: NDArray[np.integer]) -> NDArray[np.bool_]:
    return (index > 0) & (index < len(SIGNED_SCALES) - 1)
