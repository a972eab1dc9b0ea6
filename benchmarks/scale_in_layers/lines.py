"""Lines of the results: one score a layer, target and kind of probe, with its repetitions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray

from wsi_scale.magnification.probes import (
    COMPONENTS,
    Floats,
    ProbeKind,
    ProbeScores,
    RepeatedSplits,
    probe,
    probe_labels,
    probe_shuffled,
)

SPLITS = RepeatedSplits(repetitions=10, seed=2026)

#: Names of lines, as tables and figures write them.
RIDGE, PROJECTED, LEAST_SQUARES = "ridge", "projected", "least squares"
RANDOM, SHUFFLED = "random weights", "shuffled labels"
LABELS, SPECTRUM = "class and source", "spectrum"

Answer = TypeVar("Answer")
#: (target, line) → R² of each repetition.
LayerScores = dict[tuple[str, str], Floats]


@dataclass(frozen=True)
class Line:
    """R² of one layer, target and kind of probe.

    Attributes
    ----------
    network, layer, depth, channels
        Where the probe reads; a control that reads no layer has none, depth −1.
    target
        What is predicted.
    line
        Kind of probe or control.
    r2
        One a repetition (and a random network, and a fold); empty where the kind is not sound.
    """

    network: str
    layer: str
    depth: int
    channels: int
    target: str
    line: str
    r2: tuple[float, ...]

    @property
    def scores(self) -> ProbeScores:
        """The repetitions with their means."""
        return ProbeScores(np.array(self.r2))


@dataclass(frozen=True)
class Sample:
    """What a layer is probed for.

    Attributes
    ----------
    name
        The target, as tables write it.
    target
        (sample,).
    groups
        (sample,) what a split keeps together.
    """

    name: str
    target: Floats
    groups: list[str]


def controlled(features: Floats, random: Sequence[Floats], sample: Sample, components: int) -> LayerScores:
    """Probe one layer by all methods and controls.

    Parameters
    ----------
    features
        (sample, feature) of the trained network.
    random
        The same of networks of random weights.
    components
        Width that all layers are projected to.
    """
    target, groups, name = sample.target, sample.groups, sample.name
    return {
        (name, RIDGE): score(features, target, groups),
        (name, PROJECTED): score(features, target, groups, kind=ProbeKind("projected", components)),
        (name, LEAST_SQUARES): score(features, target, groups, kind=ProbeKind("least_squares")),
        (name, SHUFFLED): probe_shuffled(features, target, groups, splits=SPLITS).r2,
        (name, RANDOM): np.concatenate([score(each, target, groups) for each in random]),
    }


def score(features: Floats, target: Floats, groups: list[str], **options: Any) -> Floats:
    """R² of each repetition; options as for :func:`wsi_scale.magnification.probes.probe`."""
    return probe(features, target, groups, splits=SPLITS, **options).r2


def without_layers(network: str, sample: Sample, labels: NDArray[np.str_], spectrum: Floats) -> list[Line]:
    """Score how well labels alone, and the power spectrum alone, predict."""
    by_labels = probe_labels(labels, sample.target, sample.groups, splits=SPLITS).r2
    found = {LABELS: by_labels, SPECTRUM: score(spectrum, sample.target, sample.groups)}
    return [Line(network, "", -1, 0, sample.name, name, tuple(r2)) for name, r2 in found.items()]


def as_lines(network: str, widths: Mapping[str, int], scores: Sequence[LayerScores]) -> list[Line]:
    """Order the scores of all layers as lines; a score that is not sound is left empty."""
    return [
        Line(network, layer, depth, width, target, name, tuple(r2[np.isfinite(r2)]))
        for depth, ((layer, width), found) in enumerate(zip(widths.items(), scores, strict=True))
        for (target, name), r2 in found.items()
    ]


def joined(parts: Sequence[LayerScores]) -> LayerScores:
    """Lay the repetitions of several sets of samples end to end."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def common_width(widths: Mapping[str, int]) -> int:
    """Components that every layer of a network can be projected to."""
    return min(COMPONENTS, *widths.values())


def in_parallel(function: Callable[..., Answer], arguments: Sequence[tuple[Any, ...]]) -> list[Answer]:
    """Call a function for each layer, in as many processes as torch has threads."""
    # Fits as small as these lose by threads of their own, and two processes of two threads lose much.
    with parallel_config("loky", inner_max_num_threads=1):
        return list(Parallel(torch.get_num_threads())(delayed(function)(*each) for each in arguments))
