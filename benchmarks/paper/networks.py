"""Classifiers with the layers that a scale search reads, and VGG19 as the authors' demo rebuilt it beside it."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.feature_extraction import get_graph_node_names

from benchmarks.scale_in_layers.networks import CLASSIFIERS, Classifier, Subject, find_subject
from wsi_scale.networks.architectures import Architecture
from wsi_scale.networks.load import NetworkSource
from wsi_scale.networks.network import Layer, Network
from wsi_scale.networks.places import weights_folder, weights_in
from wsi_scale.networks.weights import read_weights

#: The deepest layer that both forms of VGG19 share, the answers of the demo's form, and the way to them: its fifth
#: block is the slice [27:35] of the features, and 27 is the fourth pooling, which has already been applied.
FORK, DEEPEST = "C4_4", "C5_4"
TWICE = " (pool 4 twice)"
_POOL4 = "features.27"
_BLOCK5 = tuple(f"features.{index}" for index in range(27, 36))
_HEAD = ("features.36", "avgpool", *(f"classifier.{index}" for index in range(7)))


def find_classifier(name: str) -> Network | None:
    """Load one of torchvision's classifiers, tapped where a scale search reads it; None without complete weights.

    Returns
    -------
    network
        Answers the ends of its blocks, the layers of the covariant search and ``softmax``, shallow to deep; VGG19
        also ``C5_4 (pool 4 twice)`` and ``softmax (pool 4 twice)``. One that the package does not know answers
        ``logits`` and ``softmax`` only.
    """
    if name not in CLASSIFIERS:
        return _other(name)
    subject = find_subject(name)
    if subject is None or subject.classifier is None:
        return None
    known = subject.source.architecture
    read = {*known.block_ends, *known.search_layers}
    nodes = {layer: node for layer, node in known.nodes.items() if layer in read}
    nodes["logits"] = subject.classifier.nodes["logits"]
    network = replace(subject, classifier=replace(subject.classifier, nodes=nodes)).trained()
    return pooled_twice(network) if name == "vgg19" else network


def pooled_twice(vgg19: Network) -> Network:
    """Let VGG19 also answer as the demo's copy of it does, from the same pass through the first four blocks."""
    wide = {layer.name: layer for layer in vgg19.layers}
    deepest, softmax = wide[DEEPEST], wide["softmax"]
    layers = (
        *vgg19.layers,
        Layer(DEEPEST + TWICE, deepest.channels, 2 * deepest.stride),
        replace(softmax, name=softmax.name + TWICE),
    )
    return Network(vgg19.name, _PooledTwice(vgg19.trunk), layers, vgg19.min_px)


class _PooledTwice(nn.Module):
    """A trunk of VGG19 whose fifth block is passed a second time, behind a second fourth pooling."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        answers: dict[str, torch.Tensor] = self.trunk(images)
        deep = self._through((_POOL4, *_BLOCK5), answers[FORK])
        logits = self._through(_HEAD, deep)
        return answers | {DEEPEST + TWICE: deep, "softmax" + TWICE: logits.softmax(dim=1)[:, :, None, None]}

    def _through(self, names: Iterable[str], value: torch.Tensor) -> torch.Tensor:
        for name in names:
            module = self.trunk.get_submodule(f"extractor.{name}")
            value = module(value.flatten(1) if name == "classifier.0" else value)
        return value


def _other(name: str) -> Network | None:
    """Load any other classifier of torchvision by its name, without layers."""
    if not (paths := weights_in(weights_folder(), name)):
        return None
    model = get_model(name, weights=None)
    classifier = Classifier(model.train, {"logits": get_graph_node_names(model)[1][-1]}, "")
    known = Architecture(name, {}, (), (), "", classifier.build)
    source = NetworkSource(known, read_weights(paths[0]), str(paths[0]))
    return Subject(name, source, replace(classifier, build=lambda: model)).trained()
