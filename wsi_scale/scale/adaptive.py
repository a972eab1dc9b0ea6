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
#: The same before a layer leaves: what it would have shown of a finer maximum is then not seen at all.
LAYER_AGREEMENT_OCTAVES = 0.005
#: Least share of the calibrated channels that must have their optimum on the rungs so far.
MIN_SETTLED = 0.5
#: No tile leaves on rungs coarser than this, µm/px: on these a curve may have a first, lower maximum.
COARSEST_MPP = 0.5
#: How much finer than the finest rung so far an open channel's optimum is taken to be, octaves.
CENSORED_OCTAVES = 1 / 3
#: A channel that rises again at the finest rung so far, above this share of its maximum, may have a higher one.
REOPENED_SHARE = 0.5
#: No layer leaves while channels differ more than this, octaves: the median of so few could jump.
MAX_SPREAD_OCTAVES = 0.6


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
    seen = _Seen.of(responses, log2_mpp, calibration)
    three = [seen.mean_with(seen.is_open, value) for value in (np.nan, seen.bound, seen.finer)]
    two = [seen.mean_with(seen.is_open | seen.reopened, value) for value in (np.nan, seen.bound)]
    means = np.stack([mean for mean, _ in three + two])
    return Estimate(
        means[:3].mean(axis=0),
        np.mean([spread for _, spread in three], axis=0),
        seen.settled_share + seen.is_open.mean(axis=1),
        seen.may_leave & _agree(means, AGREEMENT_OCTAVES),
    )


def layers_needed(
    responses: Mapping[str, NDArray[np.floating]], log2_mpp: NDArray[np.floating], calibration: Calibration
) -> NDArray[np.int64]:
    """(tile,) how many layers, from the shallowest, may still change the estimate of tiles; at least one.

    Parameters
    ----------
    responses, log2_mpp
        As for :func:`estimate_so_far`.
    """
    seen = _Seen.of(responses, log2_mpp, calibration)
    _, spread = seen.mean_with(seen.is_open, np.nan)
    may_leave = seen.may_leave & (spread <= MAX_SPREAD_OCTAVES)
    return np.where(may_leave, seen.layers_needed(), len(calibration.layers))


@dataclass(frozen=True)
class _Seen:
    """What the rungs so far say of each channel, (tile, channel); log2 radii.

    Attributes
    ----------
    answer
        NaN without an optimum so far.
    bound, finer
        Of an open channel: at its optimum on the finest rung so far, and a third of an octave finer.
    is_open, reopened
        Whether it still rises, or rises again.
    log2_finest
        (tile,) log2 mpp of the finest rung that was computed.
    weights, layer
        (channel,) weight in the mean, and number of its layer.
    """

    answer: NDArray[np.float64]
    bound: NDArray[np.float64]
    finer: NDArray[np.float64]
    is_open: NDArray[np.bool_]
    reopened: NDArray[np.bool_]
    log2_finest: NDArray[np.float64]
    weights: NDArray[np.float64]
    layer: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        responses: Mapping[str, NDArray[np.floating]],
        log2_mpp: NDArray[np.floating],
        calibration: Calibration,
    ) -> "_Seen":
        layers = calibration.layers.items()
        parts = [_channels(np.asarray(responses[name])[:, layer.channels], log2_mpp, layer) for name, layer in layers]
        weights = np.concatenate([layer.weights for _, layer in layers])
        numbers = np.repeat(np.arange(len(parts)), [len(layer.channels) for _, layer in layers])
        answer, bound, finer, is_open, reopened = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        return cls(answer, bound, finer, is_open, reopened, _finest(responses, log2_mpp), weights, numbers)

    @property
    def settled_share(self) -> NDArray[np.float64]:
        """(tile,) share of the channels that have their optimum."""
        share: NDArray[np.float64] = np.isfinite(self.answer).mean(axis=1)
        return share

    @property
    def may_leave(self) -> NDArray[np.bool_]:
        """(tile,) whether enough channels have their optimum, on rungs that are fine enough."""
        return (self.settled_share >= MIN_SETTLED) & (2.0**self.log2_finest <= COARSEST_MPP * (1 + 1e-6))

    def mean_with(
        self, which: NDArray[np.bool_], value: NDArray[np.float64] | float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Robust mean and spread with the answers of some channels replaced."""
        return robust_mean(np.where(which, value, self.answer), self.weights)

    def layers_needed(self) -> NDArray[np.int64]:
        """(tile,) layers that are needed: wherever shallower open channels lie, deeper ones do not move the mean."""
        needed = np.full(len(self.answer), self.layer.max() + 1)
        still = np.ones(len(needed), np.bool_)
        for layers in range(int(self.layer.max()), 0, -1):
            deep = self.layer >= layers
            for shallow in (np.nan, self.bound, self.finer):
                values = [np.where(deep, value, shallow) for value in (np.nan, self.bound, self.finer)]
                means = np.stack([self.mean_with(self.is_open, value)[0] for value in values])
                still &= _agree(means, LAYER_AGREEMENT_OCTAVES)
            needed[still] = layers
        return needed


def _agree(means: NDArray[np.float64], octaves: float) -> NDArray[np.bool_]:
    """Whether means, (way, tile), lie within some octaves."""
    with np.errstate(invalid="ignore"):
        agree: NDArray[np.bool_] = np.ptp(means, axis=0) <= octaves
    return agree


def _channels(
    values: NDArray[np.floating], log2_mpp: NDArray[np.floating], layer: LayerCalibration
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return answer, bound, finer, is_open and reopened of ``_Seen`` for the channels of a layer."""
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
    so_far = estimate_so_far({name: values[left] for name, values in responses.items()}, log2_mpp, calibration)
    radius, confidence = whole.radius_um.copy(), whole.confidence.copy()
    radius[left] = 2.0**so_far.log2_radius
    confidence[left] = confidence_of(so_far.answering, so_far.spread)
    optimal = radius * 2**calibration.log2_k
    return CovariantAnswer(radius, optimal, confidence, whole.beyond_ladder & ~left, whole.curves)
