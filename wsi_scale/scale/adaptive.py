"""The adaptive ladder: coarse to fine, until no finer rung can change the answer (docs/science.md).

A channel whose response still rises at the finest rung so far is *open*: its optimum lies at that rung or is finer, a
censored observation. The robust mean over channels is taken as if open channels had no optimum, had it at that rung,
and had it a third of an octave finer. Where these agree, finer rungs can hardly move the mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.scale.calibration import Calibration, LayerCalibration
from wsi_scale.scale.covariant import CovariantAnswer, confidence_of, robust_mean, search_covariant
from wsi_scale.scale.optimum import interior_optimum

#: Octaves within which the means must agree.
AGREEMENT_OCTAVES = 0.02
#: Least share of the calibrated channels that must have their optimum on the rungs so far.
MIN_SETTLED = 0.5
#: No tile leaves on rungs coarser than this, µm/px: on these a curve may have a first, lower maximum.
COARSEST_MPP = 0.5
#: How much finer than the finest rung so far an open channel's optimum is taken to be, octaves.
CENSORED_OCTAVES = 1 / 3
#: A channel that rises again at the finest rung so far, above this share of its maximum, may have a higher one.
REOPENED_SHARE = 0.5


@dataclass(frozen=True)
class Estimate:
    """The estimate of tiles from the rungs so far.

    Attributes
    ----------
    log2_radius
        (tile,) log2 of the radius in µm: mean of the three robust means.
    spread
        (tile,) octaves, of the channels' answers.
    answering
        (tile,) share of the calibrated channels that have an optimum or are open.
    settled
        (tile,) whether finer rungs can hardly change it.
    """

    log2_radius: NDArray[np.float64]
    spread: NDArray[np.float64]
    answering: NDArray[np.float64]
    settled: NDArray[np.bool_]


def estimate_so_far(
    responses: Mapping[str, NDArray[np.floating]], log2_mpp: NDArray[np.floating], calibration: Calibration
) -> Estimate:
    """Estimate the radius from the rungs so far, and whether finer rungs can change it.

    Parameters
    ----------
    responses
        Layer → (tile, channel, rung); NaN on the finer rungs that are not computed yet.
    log2_mpp
        (rung,), rising.
    """
    layers = calibration.layers.items()
    channels = [_channels(np.asarray(responses[name])[:, layer.channels], log2_mpp, layer) for name, layer in layers]
    answer, bound, finer, is_open, reopened = (np.concatenate(part, axis=1) for part in zip(*channels, strict=True))
    weights = np.concatenate([layer.weights for _, layer in layers])
    three = [robust_mean(np.where(is_open, value, answer), weights) for value in (np.nan, bound, finer)]
    doubtful = is_open | reopened
    two = [robust_mean(np.where(doubtful, value, answer), weights) for value in (np.nan, bound)]
    means = np.stack([mean for mean, _ in three + two])
    with np.errstate(invalid="ignore"):
        agree = np.ptp(means, axis=0) <= AGREEMENT_OCTAVES
    settled_share = np.isfinite(answer).mean(axis=1)
    finest = 2.0 ** _finest(responses, log2_mpp)
    settled = agree & (settled_share >= MIN_SETTLED) & (finest <= COARSEST_MPP * (1 + 1e-6))
    spread = np.mean([spread for _, spread in three], axis=0)
    return Estimate(means[:3].mean(axis=0), spread, settled_share + is_open.mean(axis=1), settled)


def _channels(
    values: NDArray[np.floating], log2_mpp: NDArray[np.floating], layer: LayerCalibration
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """(tile, channel) answers, bounds of open channels, finer bounds, whether open, whether rising again."""
    optimum = interior_optimum(values, log2_mpp)
    finite = np.isfinite(values)
    filled = np.where(finite, values, -np.inf)
    first = finite.argmax(axis=-1)
    at_first, at_second = (
        np.take_along_axis(filled, np.minimum(first + step, values.shape[-1] - 1)[..., None], -1)[..., 0]
        for step in (0, 1)
    )
    highest = filled.max(axis=-1)
    is_open = np.isnan(optimum) & (at_first == highest) & np.isfinite(highest)
    reopened = np.isfinite(optimum) & (at_first > at_second) & (at_first > REOPENED_SHARE * highest)
    at = np.asarray(log2_mpp, np.float64)[first]
    bound, finer = (layer.log2_radius(place) for place in (at, at - CENSORED_OCTAVES))
    return layer.log2_radius(optimum), bound, finer, is_open, reopened


def _finest(responses: Mapping[str, NDArray[np.floating]], log2_mpp: NDArray[np.floating]) -> NDArray[np.float64]:
    """(tile,) log2 mpp of the finest rung that was computed."""
    finite = np.isfinite(next(iter(responses.values()))).any(axis=1)
    finest: NDArray[np.float64] = np.asarray(log2_mpp, np.float64)[finite.argmax(axis=-1)]
    return finest


def search_adaptive(
    responses: Mapping[str, NDArray[np.floating]],
    log2_mpp: NDArray[np.floating],
    calibration: Calibration,
    left: NDArray[np.bool_],
) -> CovariantAnswer:
    """Read radius and optimal mpp of tiles, some of which left before the finest rung.

    Parameters
    ----------
    responses
        Layer → (tile, channel, rung); NaN where nothing was computed.
    log2_mpp
        (rung,), rising.
    left
        (tile,) whether a tile left as settled; the others are answered as by
        :func:`~wsi_scale.scale.covariant.search_covariant`.

    Returns
    -------
    CovariantAnswer
        The confidence of a tile that left counts its open channels among those that answer.
    """
    whole = search_covariant(responses, log2_mpp, calibration)
    if not left.any():
        return whole
    so_far = estimate_so_far(responses, log2_mpp, calibration)
    radius = np.where(left, 2.0**so_far.log2_radius, whole.radius_um)
    confidence = np.where(left, confidence_of(so_far.answering, so_far.spread), whole.confidence)
    optimal = radius * 2**calibration.log2_k
    return CovariantAnswer(radius, optimal, confidence, whole.beyond_ladder & ~left, whole.curves)
