"""Channels whose optimum follows nuclear size: calibration on scenes with nuclei of known radius (docs/science.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import UserError
from wsi_scale.scale.optimum import interior_optimum

#: A network with fewer calibrated channels cannot be used as a ruler.
MIN_CHANNELS = 3


@dataclass(frozen=True)
class ChannelRule:
    """Which channels count as calibrated.

    Attributes
    ----------
    min_answered
        Least share of the scenes in which a channel has an interior optimum.
    slopes
        Least and largest slope of log2 optimum on log2 radius.
    max_residual
        A channel lies closer to its own line than this, octaves (root mean square).
    """

    min_answered: float = 0.9
    slopes: tuple[float, float] = (0.7, 1.3)
    max_residual: float = 0.2


@dataclass(frozen=True)
class LayerCalibration:
    """The calibrated channels of one layer.

    Attributes
    ----------
    channels
        (k,) channel numbers.
    offset, slope
        (k,) a and b of log2 optimum = a + b · log2 radius; optimum in µm/px, radius in µm.
    residual
        (k,) root mean square about that line, octaves.
    """

    channels: NDArray[np.int64]
    offset: NDArray[np.float64]
    slope: NDArray[np.float64]
    residual: NDArray[np.float64]

    def log2_radius(self, log2_optimum: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., k) log2 of the radius in µm at which the channels have these optima, log2 µm/px."""
        return (log2_optimum - self.offset) / self.slope

    @property
    def weights(self) -> NDArray[np.float64]:
        """(k,) weight of each channel in a mean: inverse variance about its line, with a floor of 0.05 octave."""
        weights: NDArray[np.float64] = 1 / (self.residual**2 + 0.05**2)
        return weights


@dataclass(frozen=True)
class Calibration:
    """A network's calibrated channels, by layer."""

    layers: Mapping[str, LayerCalibration]

    @property
    def log2_k(self) -> float:
        """Median offset over all calibrated channels: log2 of the µm per pixel preferred for a radius of 1 µm."""
        return float(np.median(np.concatenate([layer.offset for layer in self.layers.values()])))

    @property
    def channels(self) -> dict[str, tuple[int, ...]]:
        """Layer → numbers of its calibrated channels."""
        return {name: tuple(layer.channels.tolist()) for name, layer in self.layers.items()}

    def narrowed(self) -> "Calibration":
        """Return the calibration for responses of the calibrated channels alone."""
        return Calibration(
            {name: replace(layer, channels=np.arange(len(layer.channels))) for name, layer in self.layers.items()}
        )

    @property
    def channel_count(self) -> int:
        """Calibrated channels in all layers."""
        return sum(len(layer.channels) for layer in self.layers.values())


def calibrate(
    responses: Mapping[str, NDArray[np.floating]],
    log2_mpp: NDArray[np.floating],
    radius_um: NDArray[np.floating],
) -> Calibration:
    """Find the channels whose interior optimum follows the planted radius.

    Parameters
    ----------
    responses
        Layer → (scene, channel, rung).
    log2_mpp
        (rung,).
    radius_um
        (scene,) planted radius.

    Raises
    ------
    UserError
        Fewer than three channels of all layers follow size: the network cannot measure it.
    """
    optima = {name: interior_optimum(values, log2_mpp) for name, values in responses.items()}
    return calibrate_optima(optima, radius_um)


def calibrate_optima(
    optima: Mapping[str, NDArray[np.float64]], radius_um: NDArray[np.floating], rule: ChannelRule | None = None
) -> Calibration:
    """Find the channels whose optimum follows the planted radius.

    Parameters
    ----------
    optima
        Layer → (scene, channel) log2 µm/px; NaN without an interior optimum.
    radius_um
        (scene,) planted radius.
    rule
        Which channels count; by default that of :class:`ChannelRule`.

    Raises
    ------
    UserError
        Fewer than three channels of all layers follow size: the network cannot measure it.
    """
    chosen_by = rule or ChannelRule()
    layers = {name: _calibrate_layer(values, np.log2(radius_um), chosen_by) for name, values in optima.items()}
    found = Calibration({name: layer for name, layer in layers.items() if len(layer.channels)})
    if not found.layers or found.channel_count < MIN_CHANNELS:
        raise UserError(
            f"no calibration: {found.channel_count if found.layers else 0} channels of {', '.join(optima)} follow "
            f"the size of planted nuclei, and {MIN_CHANNELS} are needed; choose other search.layers or another network"
        )
    return found


def _calibrate_layer(
    optimum: NDArray[np.float64], log2_radius: NDArray[np.float64], rule: ChannelRule
) -> LayerCalibration:
    answered = np.isfinite(optimum)
    enough = answered.mean(axis=0) >= rule.min_answered
    slope, offset = _lines(optimum, log2_radius, answered)
    error = np.where(answered, optimum - (offset + slope * log2_radius[:, None]), 0)
    residual = np.sqrt((error**2).sum(axis=0) / np.maximum(answered.sum(axis=0), 1))
    good = enough & (slope >= rule.slopes[0]) & (slope <= rule.slopes[1]) & (residual < rule.max_residual)
    chosen = np.flatnonzero(good)
    return LayerCalibration(chosen, offset[chosen], slope[chosen], residual[chosen])


def _lines(
    optimum: NDArray[np.float64], log2_radius: NDArray[np.float64], answered: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least-squares slope and offset of each channel over the scenes in which it answers."""
    count = np.maximum(answered.sum(axis=0), 1)
    x = np.where(answered, log2_radius[:, None], 0)
    y = np.where(answered, optimum, 0)
    mean_x, mean_y = x.sum(axis=0) / count, y.sum(axis=0) / count
    dx = np.where(answered, log2_radius[:, None] - mean_x, 0)
    spread = (dx**2).sum(axis=0)
    slope = np.where(spread > 0, (dx * (y - mean_y)).sum(axis=0) / np.where(spread > 0, spread, 1), 0)
    return slope, mean_y - slope * mean_x
