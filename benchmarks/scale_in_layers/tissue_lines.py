"""µm per pixel on tissue, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale_in_layers.lines import (
    LayerScores,
    Line,
    Sample,
    as_lines,
    common_width,
    controlled,
    in_parallel,
    joined,
    score,
    without_layers,
)
from benchmarks.scale_in_layers.networks import Subject, find_subject
from benchmarks.scale_in_layers.responses import layer_responses
from benchmarks.scale_in_layers.spectrum import spectrum_features
from benchmarks.scale_in_layers.tissue import TileSet, read_tissue
from wsi_scale.learning.fields import read_kept_out
from wsi_scale.magnification.features import layer_features
from wsi_scale.magnification.probes import Floats
from wsi_scale.networks.network import Network

#: Tiles for networks that were not trained on tissue; and for each set of cases that an embedded network has not seen.
TILES, UNSEEN_TILES = 1000, 500
#: Networks of random weights: one of VGG19, whose passes take minutes.
RANDOM_NETWORKS = {"vgg19": 1}
RANDOM_NETWORKS_ELSE = 3
TARGET = "log2 mpp"
#: Tiles of one native mpp alone: the kind of field that a tile is from then reveals nothing of its mpp.
ONE_NATIVE, NATIVE = "ridge, one native mpp", "0.25 µm/px"
KEPT_OUT = Path("configs/kept_out.tsv")
SPLITS = Path("configs/splits")


@dataclass(frozen=True)
class Trial:
    """A network, and tiles of cases that it was not trained on."""

    subject: Subject
    tile_set: TileSet


def embedded_trials(root: Path, backbones: Path | None) -> list[Trial]:
    """Trials of the embedded network: the kept-out cases, or every fold's with the network trained without them.

    Channels of two trainings have nothing in common, so that each fold is probed for itself, on its cases alone.
    """
    if backbones is None:
        return [
            Trial(_found("embedded"), TileSet("kept-out", read_tissue(root, read_kept_out(KEPT_OUT)), UNSEEN_TILES))
        ]
    trials = []
    for path in sorted(backbones.glob("fold-*/embedded.safetensors")):
        fold = path.parent.name
        fields = read_tissue(root, read_kept_out(SPLITS / f"{fold}.tsv"))
        trials.append(Trial(_found(str(path)), TileSet(fold, fields, UNSEEN_TILES)))
    if not trials:
        raise SystemExit(f"error: no fold-1/embedded.safetensors and the like in {backbones}")
    return trials


def network_lines(name: str, trials: Sequence[Trial], *, logarithms: bool) -> list[Line]:
    """Probe all layers of a network for log2 mpp, and join the trials' repetitions."""
    by_trial = [_trial_scores(name, trial, logarithms=logarithms) for trial in trials]
    widths = by_trial[0][0]
    return as_lines(name, widths, [joined(parts) for parts in zip(*(scores for _, scores in by_trial), strict=True)])


def controls(name: str, trials: Sequence[Trial]) -> list[Line]:
    """Score how well organ, scanner and native mpp, or the power spectrum, alone predict log2 mpp."""
    found = []
    for trial in trials:
        tiles = trial.tile_set.tiles
        spectrum = spectrum_features(tiles.images)
        found.append(without_layers(name, _sample(trial), tiles.labels, spectrum))
    return [
        Line(name, "", -1, 0, TARGET, parts[0].line, tuple(r2 for part in parts for r2 in part.r2))
        for parts in zip(*found, strict=True)
    ]


def layer_scores(
    features: Floats, random: Sequence[Floats], sample: Sample, components: int, native: NDArray[np.bool_]
) -> LayerScores:
    """Probe one layer on all tiles, and on those whose fields are of one native mpp."""
    scores = controlled(features, random, sample, components)
    groups = [group for group, chosen in zip(sample.groups, native, strict=True) if chosen]
    scores[TARGET, ONE_NATIVE] = score(features[native], sample.target[native], groups)
    return scores


def _trial_scores(name: str, trial: Trial, *, logarithms: bool) -> tuple[dict[str, int], list[LayerScores]]:
    images, kind = trial.tile_set.tiles.images, f"tissue-{trial.tile_set.name}"

    def features(network: Network) -> dict[str, Floats]:
        return layer_features(layer_responses(network, images, kind), logarithms=logarithms)

    trained = features(trial.subject.trained())
    seeds = range(RANDOM_NETWORKS.get(name, RANDOM_NETWORKS_ELSE))
    untrained = [features(trial.subject.random(seed)) for seed in seeds]
    widths = {layer: values.shape[1] for layer, values in trained.items()}
    sample, components = _sample(trial), common_width(widths)
    native = trial.tile_set.tiles.labels[:, -1] == NATIVE
    arguments: list[tuple[Floats, list[Floats], Sample, int, NDArray[np.bool_]]] = [
        (trained[layer], [each[layer] for each in untrained], sample, components, native) for layer in widths
    ]
    return widths, in_parallel(layer_scores, arguments)


def _sample(trial: Trial) -> Sample:
    return Sample(TARGET, trial.tile_set.tiles.log2_mpp, trial.tile_set.tiles.cases)


def _found(name: str) -> Subject:
    subject = find_subject(name)
    if subject is None:
        raise SystemExit(f"error: no weights for {name}")
    return subject
