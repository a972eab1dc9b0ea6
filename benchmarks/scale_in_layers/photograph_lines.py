"""Object scale on photographs, layer by layer, separated from image size; checks on resizing and on noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Responses
from benchmarks.scale_in_layers.lines import (
    RIDGE,
    LayerScores,
    Line,
    Sample,
    as_lines,
    common_width,
    controlled,
    in_parallel,
    score,
    without_layers,
)
from benchmarks.scale_in_layers.networks import Subject
from benchmarks.scale_in_layers.photographs import (
    REFERENCE_PX,
    SIZES_PX,
    Photograph,
    noise_at,
    photographs_at,
    read_photographs,
)
from benchmarks.scale_in_layers.responses import layer_responses
from benchmarks.scale_in_layers.spectrum import spectrum_features
from wsi_scale.magnification.features import layer_features
from wsi_scale.magnification.probes import Floats, fit_probe

#: Networks of random weights, each with seeds of its own.
RANDOM_NETWORKS = 3
#: Targets and the lines that photographs have beside those of every task.
SIDE, AREA, SIZE = "side ratio", "area ratio", "image size"
EVERY_SIZE, OTHER_SIZE = "ridge, every size", "ridge, other size"
LOG2_SIZES = np.log2(SIZES_PX)


@dataclass(frozen=True)
class Check:
    """What one layer's probes say when images are resized, and of noise.

    Attributes
    ----------
    network, layer
        Where the probes read.
    photograph_drift
        Change of the side ratio that a probe fitted at 224 px predicts, per octave of image size, on photographs.
    noise_drift
        The same on noise.
    noise_mean, noise_spread
        What it predicts of noise at 224 px: mean and standard deviation over images.
    noise_size_slope
        Octaves of image size that the probe of image size, fitted on photographs, predicts per octave, on noise.
    """

    network: str
    layer: str
    photograph_drift: float
    noise_drift: float
    noise_mean: float
    noise_spread: float
    noise_size_slope: float


@dataclass(frozen=True)
class PhotographLayer:
    """One layer's features: by size (of photographs, of noise) and by random network."""

    photographs: list[Floats]
    noise: list[Floats]
    random: list[Floats]


def read_sample(root: Path) -> tuple[Photograph, ...]:
    """All photographs."""
    return read_photographs(root / "boxes")


def network_lines(
    subject: Subject, photographs: tuple[Photograph, ...], *, logarithms: bool
) -> tuple[list[Line], list[Check], dict[int, float]]:
    """Probe all layers of a network.

    Returns
    -------
    lines, checks, agreement
        Agreement: size in px → share of photographs whose first class is that at 224 px; empty without a classifier.
    """
    trained = subject.trained()
    responses = [layer_responses(trained, photographs_at(photographs, px), f"photographs-{px}") for px in SIZES_PX]
    responses += [layer_responses(trained, noise_at(px), f"noise-{px}") for px in SIZES_PX]
    reference = photographs_at(photographs, REFERENCE_PX)
    untrained = [
        layer_responses(subject.random(seed), reference, f"photographs-{REFERENCE_PX}")
        for seed in range(RANDOM_NETWORKS)
    ]
    count = len(SIZES_PX)
    # One level for all sizes: what a size does to the level of a layer is part of the question.
    seen = [layer_features(each, responses[count - 1], logarithms=logarithms) for each in responses]
    seen += [layer_features(each, logarithms=logarithms) for each in untrained]
    widths = {layer: values.shape[1] for layer, values in responses[0].items()}
    area = np.array([each.area_ratio for each in photographs])
    groups = [each.path.name for each in photographs]
    arguments = []
    for layer in widths:
        features = [each[layer] for each in seen]
        parts = PhotographLayer(features[:count], features[count : 2 * count], features[2 * count :])
        arguments.append((parts, area, groups, common_width(widths)))
    scores = as_lines(subject.name, widths, in_parallel(layer_scores, arguments))
    checked = [(subject.name, layer, *each[:3]) for layer, each in zip(widths, arguments, strict=True)]
    checks = in_parallel(check_layer, checked)
    return scores, checks, first_class_agreement(responses[:count])


def controls(network: str, photographs: Sequence[Photograph], spectrum: Floats) -> list[Line]:
    """Score how well class and source, or the power spectrum, alone predict the side ratio."""
    side = np.sqrt([each.area_ratio for each in photographs])
    labels = np.array([[each.label, each.source] for each in photographs])
    return without_layers(network, Sample(SIDE, side, [each.path.name for each in photographs]), labels, spectrum)


def photograph_spectrum(photographs: tuple[Photograph, ...]) -> Floats:
    """Power spectra of the photographs at the reference size."""
    return spectrum_features(photographs_at(photographs, REFERENCE_PX))


def layer_scores(layer: PhotographLayer, area: Floats, groups: list[str], components: int) -> LayerScores:
    """Probe one layer for both measures of the object, across image sizes, and for the image size itself."""
    side = np.sqrt(area)
    scores = controlled(layer.photographs[-1], layer.random, Sample(SIDE, side, groups), components)
    scores[AREA, RIDGE] = score(layer.photographs[-1], area, groups)
    # Every photograph is there once at every size: neither measure predicts the other.
    stacked, copies = np.concatenate(layer.photographs), len(layer.photographs)
    scores[SIDE, EVERY_SIZE] = score(stacked, np.tile(side, copies), groups * copies)
    scores[SIZE, EVERY_SIZE] = score(stacked, np.repeat(LOG2_SIZES, len(area)), groups * copies)
    pairs = [(a, b) for a in range(copies) for b in range(copies) if a != b]
    others = [score(layer.photographs[a], side, groups, test_features=layer.photographs[b]) for a, b in pairs]
    scores[SIDE, OTHER_SIZE] = np.concatenate(others)
    return scores


def check_layer(network: str, name: str, layer: PhotographLayer, area: Floats, groups: list[str]) -> Check:
    """Ask probes that were fitted on all photographs of resized photographs and of noise."""
    scale = fit_probe(layer.photographs[-1], np.sqrt(area), groups)
    stacked, copies = np.concatenate(layer.photographs), len(layer.photographs)
    size = fit_probe(stacked, np.repeat(LOG2_SIZES, len(area)), groups * copies)
    of_noise = scale.predict(layer.noise[-1])
    return Check(
        network,
        name,
        photograph_drift=_per_octave([scale.predict(each) for each in layer.photographs]),
        noise_drift=_per_octave([scale.predict(each) for each in layer.noise]),
        noise_mean=float(of_noise.mean()),
        noise_spread=float(of_noise.std(ddof=1)),
        noise_size_slope=_per_octave([size.predict(each) for each in layer.noise]),
    )


def first_class_agreement(responses: Sequence[Responses]) -> dict[int, float]:
    """Size in px → share of photographs whose first class is that at the reference size."""
    if "logits" not in responses[0]:
        return {}
    first: list[NDArray[np.int64]] = [each["logits"].argmax(axis=1) for each in responses]
    return {size_px: float((each == first[-1]).mean()) for size_px, each in zip(SIZES_PX, first, strict=True)}


def _per_octave(predictions: Sequence[Floats]) -> float:
    return float(np.polyfit(LOG2_SIZES, [each.mean() for each in predictions], 1)[0])
