"""torchvision networks known by name, and their taps."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from wsi_scale.errors import ConfigError
from wsi_scale.networks.chain import ChainPlan, build_chain, chain_taps

VGG16_PLAN: ChainPlan = (64, 64, "M", 128, 128, "M", *(256,) * 3, "M", *(512,) * 3, "M", *(512,) * 3)
VGG19_PLAN: ChainPlan = (64, 64, "M", 128, 128, "M", *(256,) * 4, "M", *(512,) * 4, "M", *(512,) * 4)


@dataclass(frozen=True)
class Architecture:
    """A network and its taps.

    Attributes
    ----------
    name
        As a user writes it.
    nodes
        Layer name → node of the traced module, shallow to deep.
    block_ends
        The last activated convolution of each block (Penkin et al. 2022 use these five of VGG19).
    search_layers
        What the covariant search reads by default.
    feature_layer
        What `extract` reads by default.
    build
        Makes the module, with arbitrary parameters.
    plan
        Widths, for networks that are chains of convolutions; these are cut and pruned by slicing.
    torchvision_weights
        Name of torchvision's weights, where it has some.
    min_px
        Smallest input side.
    base
        Name of the known network that it was cut from, if it is not a chain.
    own_shapes
        Whether shapes of convolutions follow the weights (pruned or split); if not, other shapes are an error.
    """

    name: str
    nodes: dict[str, str]
    block_ends: tuple[str, ...]
    search_layers: tuple[str, ...]
    feature_layer: str
    build: Callable[[], nn.Module]
    plan: ChainPlan | None = None
    torchvision_weights: str | None = None
    min_px: int = 16
    base: str | None = None
    own_shapes: bool = False


class _Chain(nn.Module):
    """A chain under torchvision's attribute name, so that its weights keep their names."""

    def __init__(self, plan: ChainPlan) -> None:
        super().__init__()
        self.features = build_chain(plan)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.features(images)
        return output


def chain_architecture(
    name: str,
    plan: ChainPlan,
    search_layers: tuple[str, ...],
    feature_layer: str,
    torchvision_weights: str | None = None,
) -> Architecture:
    """Describe a chain of convolutions by its plan."""
    taps = chain_taps(plan)
    last_of_block = {tap.name.split("_")[0]: tap.name for tap in taps}
    return Architecture(
        name=name,
        nodes={tap.name: f"features.{tap.index}" for tap in taps},
        block_ends=tuple(last_of_block.values()),
        search_layers=search_layers,
        feature_layer=feature_layer,
        build=partial(_Chain, plan),
        plan=plan,
        torchvision_weights=torchvision_weights,
    )


def _blocks(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names}


def _from_torchvision(name: str, **options: bool) -> nn.Module:
    """Make one of torchvision's models, with arbitrary parameters."""
    # torchvision costs two seconds of start-up, and chains of convolutions do without it.
    from torchvision import models

    module: nn.Module = models.get_model(name, **options)
    return module


def _squeezenet() -> Architecture:
    fires = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}
    nodes = {"conv1": "features.1"} | {f"fire{k}": f"features.{v}.cat" for k, v in fires.items()}
    return Architecture(
        "squeezenet1_1", nodes, ("conv1", "fire3", "fire5", "fire7", "fire9"), ("fire3", "fire5"), "fire9",
        partial(_from_torchvision, "squeezenet1_1"), torchvision_weights="SqueezeNet1_1_Weights.IMAGENET1K_V1",
        min_px=24,
    )  # fmt: skip


def _resnet50() -> Architecture:
    nodes = {"stem": "relu"} | _blocks(("layer1", "layer2", "layer3", "layer4"))
    return Architecture(
        "resnet50", nodes, tuple(nodes), ("layer1", "layer2"), "layer4",
        partial(_from_torchvision, "resnet50"), torchvision_weights="ResNet50_Weights.IMAGENET1K_V1", min_px=32,
    )  # fmt: skip


def _inception() -> Architecture:
    mixed = ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e")
    deep = ("Mixed_7a", "Mixed_7b", "Mixed_7c")
    nodes = {"stem": "Conv2d_2b_3x3.relu"} | {"stem2": "Conv2d_4a_3x3.relu"}
    nodes |= {name: f"{name}.cat" for name in (*mixed, *deep)}
    # The last two concatenate within their branches first; the block's own output is the third.
    nodes |= {name: f"{name}.cat_2" for name in deep[1:]}
    return Architecture(
        "inception_v3", nodes, ("stem", "stem2", "Mixed_5d", "Mixed_6e", "Mixed_7c"), ("stem2", "Mixed_5d"),
        "Mixed_7c", partial(_from_torchvision, "inception_v3", init_weights=False, transform_input=True),
        torchvision_weights="Inception_V3_Weights.IMAGENET1K_V1", min_px=96,
    )  # fmt: skip


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        chain_architecture(
            "vgg19", VGG19_PLAN, ("C2_1", "C2_2", "C3_1", "C3_2", "C3_3", "C3_4"), "C5_4", "VGG19_Weights.IMAGENET1K_V1"
        ),
        chain_architecture(
            "vgg16", VGG16_PLAN, ("C2_1", "C2_2", "C3_1", "C3_2", "C3_3"), "C5_3", "VGG16_Weights.IMAGENET1K_V1"
        ),
        _squeezenet(),
        _resnet50(),
        _inception(),
    )
}


def architecture(name: str) -> Architecture:
    """Find an architecture by name.

    Raises
    ------
    ConfigError
        No such network.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(("embedded", *ARCHITECTURES))
        raise ConfigError(f"network={name!r}: neither a network file nor one of {known}") from None
