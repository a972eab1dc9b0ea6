"""Estimators of nuclear radius from curves of channels: the package's own, and what differs from it in one factor."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from benchmarks.variants.observed import PARTS, Observed, row_median
from wsi_scale.errors import UserError
from wsi_scale.scale.calibration import Calibration, ChannelRule, LayerCalibration, calibrate_optima
from wsi_scale.scale.covariant import MIN_ANSWERING, robust_mean
from wsi_scale.scale.optimum import interior_optimum

Optima = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Variant:
    """A covariant search; the defaults are the package's.

    Attributes
    ----------
    factor, name
        What differs, and how.
    layers
        Whose channels are read; None for all.
    scenes
        On how many it is calibrated.
    rule
        Which channels count.
    line
        Whether each channel has its own slope or all have slope 1.
    weights
        Of channels: inverse variance about their lines, or equal.
    combination
        Of the channels' answers; ``ridge`` regresses log2 radius on all of them together.
    extremum
        Vertex of the parabola through the highest rung, the highest rung itself, or the vertex of the curve after a
        mean of three rungs (1, 2, 1).
    every
        Every which rung is read.
    coarsest_mpp
        Where the ladder ends, µm/px.
    tissue
        Whether channels must follow the size of rescaled real tissue too.
    """

    factor: str
    name: str
    layers: tuple[str, ...] | None = None
    scenes: int = 64
    rule: ChannelRule = field(default_factory=ChannelRule)
    line: Literal["own slope", "slope 1"] = "own slope"
    weights: Literal["inverse variance", "equal"] = "inverse variance"
    combination: Literal["biweight", "median", "mean", "ridge"] = "biweight"
    extremum: Literal["parabola", "rung", "smoothed"] = "parabola"
    every: int = 1
    coarsest_mpp: float = 4.0
    tissue: bool = False


@dataclass(frozen=True)
class Fitted:
    """A calibrated variant.

    Attributes
    ----------
    ridge
        Of the variant that has one: from the channels' answers to log2 radius.
    """

    variant: Variant
    calibration: Calibration
    ridge: RidgeCV | None = None

    @property
    def channels(self) -> int:
        """How many channels are calibrated."""
        return self.calibration.channel_count

    def log2_radius(self, seen: Observed) -> NDArray[np.float64]:
        """(image,) log2 of the radius in µm; NaN without an answer."""
        answers = _answers(self.calibration, optima(self.variant, seen))
        answered = np.isfinite(answers).mean(axis=1) >= MIN_ANSWERING
        if self.ridge is not None:
            return np.where(answered, self.ridge.predict(_filled(answers)), np.nan)
        return np.where(answered, self._joined(answers), np.nan)

    def _joined(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = np.concatenate([layer.weights for layer in self.calibration.layers.values()])
        if self.variant.combination == "biweight":
            return robust_mean(answers, weights)[0]
        if self.variant.combination == "median":
            return row_median(answers)
        share = np.where(np.isfinite(answers), weights, 0)
        total = share.sum(axis=1)
        mean: NDArray[np.float64] = np.nansum(answers * share, axis=1) / np.where(total > 0, total, np.nan)
        return mean


def fit(variant: Variant, scenes: Observed, radius_um: NDArray[np.float64], pairs: Observed | None = None) -> Fitted:
    """Calibrate a variant.

    Parameters
    ----------
    scenes, radius_um
        Drawn scenes and their planted radii; the variant's number of them is taken, spread over the radii.
    pairs
        Of :func:`~benchmarks.variants.observed.tissue_pairs`, five images a region; for variants that ask for them.
    """
    kept = np.linspace(0, len(radius_um) - 1, variant.scenes).round().astype(int)
    some = scenes.of_images(kept)
    found = optima(variant, some)
    calibration = calibrate_optima(found, radius_um[kept], variant.rule)
    if variant.tissue and pairs is not None:
        calibration = _following_tissue(calibration, optima(variant, pairs), variant.rule)
    calibration = Calibration(
        {name: _shaped(variant, layer, radius_um[kept]) for name, layer in calibration.layers.items()}
    )
    if variant.combination != "ridge":
        return Fitted(variant, calibration)
    answers = _filled(_answers(calibration, found))
    ridge = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(answers, np.log2(radius_um[kept]))
    return Fitted(variant, calibration, ridge)


def optima(variant: Variant, seen: Observed) -> Optima:
    """Layer → (image, channel) log2 mpp of each channel's optimum, by the variant's ladder and extremum."""
    rungs = [n for n, x in enumerate(seen.log2_mpp) if 2**x <= variant.coarsest_mpp * (1 + 1e-6)][:: variant.every]
    read = seen.at_rungs(rungs)
    layers = variant.layers or tuple(seen.responses)
    return {name: _optimum(variant, read.responses[name], read.log2_mpp) for name in layers}


def _optimum(variant: Variant, values: NDArray[np.float32], log2_mpp: NDArray[np.float64]) -> NDArray[np.float64]:
    if variant.extremum == "smoothed":
        inner = (values[..., :-2] + 2 * values[..., 1:-1] + values[..., 2:]) / 4
        values = np.concatenate([values[..., :1], inner, values[..., -1:]], axis=-1)
    vertex = interior_optimum(values, log2_mpp)
    if variant.extremum != "rung":
        return vertex
    nearest = np.abs(vertex[..., None] - log2_mpp).argmin(axis=-1)
    return np.where(np.isfinite(vertex), log2_mpp[nearest], np.nan)


def _answers(calibration: Calibration, found: Optima) -> NDArray[np.float64]:
    """(image, channel) log2 radius of each calibrated channel."""
    parts = [layer.log2_radius(found[name][:, layer.channels]) for name, layer in calibration.layers.items()]
    return np.concatenate(parts, axis=1)


def _shaped(variant: Variant, layer: LayerCalibration, radius_um: NDArray[np.float64]) -> LayerCalibration:
    if variant.line == "slope 1":
        # A line goes through the mean of both, whatever its slope.
        offset = layer.offset + (layer.slope - 1) * np.log2(radius_um).mean()
        layer = replace(layer, offset=offset, slope=np.ones_like(layer.slope))
    if variant.weights == "equal":
        layer = replace(layer, residual=np.full_like(layer.residual, layer.residual.mean()))
    return layer


def _following_tissue(calibration: Calibration, found: Optima, rule: ChannelRule) -> Calibration:
    """Keep the channels whose optimum halves, within the rule's residual, where real tissue is half as large."""
    layers = {}
    for name, layer in calibration.layers.items():
        values = found[name][:, layer.channels].reshape(-1, PARTS + 1, len(layer.channels))
        parts = values[:, :PARTS].transpose(0, 2, 1).reshape(-1, PARTS)
        moved = row_median(parts).reshape(-1, len(layer.channels)) - values[:, PARTS]
        error = moved / layer.slope - 1
        good = np.nanmedian(np.abs(error), axis=0) < rule.max_residual
        layers[name] = LayerCalibration(
            layer.channels[good], layer.offset[good], layer.slope[good], layer.residual[good]
        )
    if not any(len(layer.channels) for layer in layers.values()):
        raise UserError("no channel follows the size of real tissue; the search cannot use this network")
    return Calibration({name: layer for name, layer in layers.items() if len(layer.channels)})


def _filled(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Channels without an answer take the median of those that have one."""
    middle = np.nan_to_num(row_median(answers))
    return np.where(np.isfinite(answers), answers, middle[:, None])
