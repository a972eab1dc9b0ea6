"""Networks with every layer tapped, a classifier's last ones included: trained, or of random weights."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from benchmarks.data import RESULTS
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.networks.network import Layer, Network
from wsi_scale.networks.places import weights_folder
from wsi_scale.networks.weights import candidates, read_weights

#: Side of the image whose shapes give a layer's stride.
_PROBE_PX = 128
#: Residual blocks of ResNet50's four stages: all sixteen are tapped, as published.
_RESIDUAL_BLOCKS = (3, 4, 6, 3)


@dataclass(frozen=True)
class Classifier:
    """A torchvision classifier and its taps.

    Attributes
    ----------
    build
        Makes the module.
    nodes
        Layer name → node of the traced module, shallow to deep, up to ``logits``; the softmax follows them.
    last_weight
        A weight that only complete weights hold.
    """

    build: Callable[[], nn.Module]
    nodes: Mapping[str, str]
    last_weight: str


_VGG_HEAD = {"pool5": "features.36", "fc6": "classifier.1", "fc7": "classifier.4", "logits": "classifier.6"}
_RESNET_BLOCKS = [f"layer{stage}.{k}" for stage, count in enumerate(_RESIDUAL_BLOCKS, 1) for k in range(count)]
CLASSIFIERS = {
    "vgg19": Classifier(models.vgg19, architecture("vgg19").nodes | _VGG_HEAD, "classifier.6.weight"),
    "squeezenet1_1": Classifier(
        models.squeezenet1_1, architecture("squeezenet1_1").nodes | {"logits": "flatten"}, "classifier.1.weight"
    ),
    "resnet50": Classifier(
        models.resnet50, {"stem": "relu"} | {name: name for name in _RESNET_BLOCKS} | {"logits": "fc"}, "fc.weight"
    ),
    "inception_v3": Classifier(
        partial(models.inception_v3, init_weights=False, transform_input=True),
        architecture("inception_v3").nodes | {"logits": "fc"},
        "fc.weight",
    ),
}


@dataclass(frozen=True)
class Subject:
    """A network under test.

    Attributes
    ----------
    name
        As a user writes it.
    source
        Its architecture and trained weights.
    classifier
        Taps beyond the convolutions; None where the network or its weights have none.
    """

    name: str
    source: NetworkSource
    classifier: Classifier | None

    def trained(self) -> Network:
        """Build the network with its own weights."""
        if self.classifier is None:
            return self.source.tapped(tuple(self.source.architecture.nodes))
        return _with_head(self.name, self.classifier, self.classifier.build(), self.source)

    def random(self, seed: int) -> Network:
        """Build the network with He's normal weights (2015) and no bias: one rule for all networks.

        torch's own default lets responses die away over a chain of convolutions, and what is left is bias.
        """
        model = self.classifier.build() if self.classifier else self.source.architecture.build()
        generator = torch.Generator().manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        source = replace(self.source, state=model.state_dict(), source="random weights")
        if self.classifier is None:
            return source.tapped(tuple(source.architecture.nodes))
        return _with_head(self.name, self.classifier, model, source)


def find_subject(name: str) -> Subject | None:
    """Find a network and the most complete weights at hand; None where there are none."""
    if name not in CLASSIFIERS:
        return Subject(name, find_network(name), None)
    known, classifier = architecture(name), CLASSIFIERS[name]
    paths = [*_expanded(name), *candidates(known)]
    sources = [NetworkSource(known, read_weights(path), str(path)) for path in paths]
    complete = [source for source in sources if classifier.last_weight in source.state]
    if complete:
        return Subject(name, complete[0], classifier)
    return Subject(name, sources[0], None) if sources else None


def _expanded(name: str) -> list[Path]:
    """VGG19's compact classifier, where the weights folder has it, written out in full."""
    script = weights_folder() / f"expand_{name}.py"
    target = RESULTS / f"{name}_complete.safetensors"
    if not script.is_file():
        return []
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        subprocess.run([sys.executable, str(script), str(part)], check=True)
        part.replace(target)
    return [target]


class _HeadedTrunk(nn.Module):
    """A traced classifier whose answers all are maps (n, channel, row, col), the softmax among them."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        answers: dict[str, torch.Tensor] = self.extractor(images)
        answers["softmax"] = answers["logits"].softmax(dim=1)
        return {name: value if value.ndim == 4 else value[:, :, None, None] for name, value in answers.items()}


def _with_head(name: str, classifier: Classifier, model: nn.Module, source: NetworkSource) -> Network:
    nodes = {node: layer for layer, node in classifier.nodes.items()}
    extractor = create_feature_extractor(model.eval(), return_nodes=nodes, suppress_diff_warning=True)
    wanted = extractor.state_dict()
    # Counters of batch norm may be missing; weights that are needed may not.
    values = {key: source.state[key].to(value.dtype) for key, value in wanted.items() if key in source.state}
    missing = [key for key in wanted if key not in values and not key.endswith("num_batches_tracked")]
    if missing:
        raise SystemExit(f"error: {source.source} holds no {missing[0]}")
    extractor.load_state_dict(values, strict=False)
    trunk = _HeadedTrunk(extractor.requires_grad_(False)).eval()
    with torch.inference_mode():
        maps = trunk(torch.zeros(1, 3, _PROBE_PX, _PROBE_PX))
    layers = [Layer(layer, maps[layer].shape[1], _PROBE_PX // maps[layer].shape[2]) for layer in maps]
    return Network(name, trunk, layers, source.architecture.min_px)
