"""A network cut after its deepest tap: images in, responses of its layers out."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from wsi_scale.errors import ConfigError, WeightsError
from wsi_scale.networks.architectures import Architecture
from wsi_scale.networks.chain import build_chain, chain_taps
from wsi_scale.networks.shapes import fit_shapes, with_outputs

#: Side of the image whose shapes tell a layer's stride.
_PROBE_PX = 256


@dataclass(frozen=True)
class Layer:
    """A tapped layer.

    Attributes
    ----------
    name
        As users and results write it.
    channels
        Width of its map.
    stride
        Input pixels per map pixel.
    """

    name: str
    channels: int
    stride: int


class Network(nn.Module):
    """A frozen network in evaluation mode, cut after the deepest of its tapped layers.

    Parameters
    ----------
    channels
        Layer → (k,) numbers of the channels that are answered; by default all.
    digest
        Of the parameters, where it is known.

    Attributes
    ----------
    name
        Name of the architecture, or the name in the network file.
    layers
        The tapped layers, shallow to deep.
    min_px
        Smallest input side.
    digest
        SHA-256 over the parameters' values as float16, up to the deepest tap.
    depths
        Networks that end with each of the layers that :meth:`restricted` chose, shallow to deep; else this one alone.
    """

    def __init__(
        self,
        name: str,
        trunk: nn.Module,
        layers: Sequence[Layer],
        min_px: int,
        channels: Mapping[str, torch.Tensor] | None = None,
        digest: str | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.trunk = trunk
        self.layers = tuple(layers)
        self.min_px = min_px
        self.digest = digest or digest_of(trunk)
        self._channels = dict(channels or {})
        # In a tuple they are no submodules: they share this network's weights.
        self.depths: tuple[Network, ...] = (self,)

    def maps(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map normalised images (n, 3, h, w) to the tapped layers' maps (n, channel, row, col)."""
        maps: dict[str, torch.Tensor] = self.trunk(images)
        return maps

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map normalised images (n, 3, h, w) to the layers' spatial means (n, channel), float32."""
        means = ((name, maps.mean(dim=(2, 3), dtype=torch.float32)) for name, maps in self._walk(images))
        return {name: self._chosen(name, values) for name, values in means}

    def chosen_maps(self, images: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the maps of the answered channels (n, channel, row, col) of each layer, shallow to deep."""
        return ((name, self._chosen(name, maps)) for name, maps in self._walk(images))

    def _walk(self, images: torch.Tensor) -> Iterable[tuple[str, torch.Tensor]]:
        # Of a chain, each map is freed before the next is made.
        return self.trunk.walk(images) if isinstance(self.trunk, ChainTrunk) else self.maps(images).items()

    def _chosen(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return values[:, self._channels[name]] if name in self._channels else values

    @property
    def context_px(self) -> int | None:
        """Pixels that the deepest layer sees beyond its own, a multiple of the stride; None if that is not known."""
        if not isinstance(self.trunk, ChainTrunk):
            return None
        return math.ceil(self.trunk.reach_px / self.stride) * self.stride

    def restricted(self, channels: Mapping[str, Sequence[int]]) -> "Network":
        """Return the network with the answers of some channels of some of its layers, cut after the deepest of them.

        Of a chain's deepest layer nothing else is computed. ``depths`` of the result are the networks that end with
        each of the layers, shallow to deep.

        Parameters
        ----------
        channels
            Layer → numbers of its channels.
        """
        names = [layer.name for layer in self.layers if layer.name in channels]
        depths = tuple(
            self._restricted({name: channels[name] for name in names[:count]}) for count in range(1, len(names) + 1)
        )
        depths[-1].depths = depths
        return depths[-1]

    def _restricted(self, channels: Mapping[str, Sequence[int]]) -> "Network":
        layers = [layer for layer in self.layers if layer.name in channels]
        chosen = {name: torch.tensor(list(numbers)).to(self._device) for name, numbers in channels.items()}
        trunk = self.trunk
        if isinstance(trunk, ChainTrunk):
            trunk = trunk.narrowed(layers[-1].name, chosen)
            chosen.pop(layers[-1].name)
        narrower = [replace(layer, channels=len(channels[layer.name])) for layer in layers]
        return Network(self.name, trunk, narrower, self.min_px, chosen, self.digest).eval()

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def stride(self) -> int:
        """Largest stride of the tapped layers."""
        return max(layer.stride for layer in self.layers)


class ChainTrunk(nn.Module):
    """The convolutions of a chain up to its deepest tap."""

    def __init__(self, features: nn.Sequential, taps: Mapping[int, str]) -> None:
        super().__init__()
        self.features = features
        self.taps = dict(taps)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the maps of the tapped layers (n, channel, row, col)."""
        return dict(self.walk(images))

    @property
    def reach_px(self) -> int:
        """Pixels to each side of those that a map's pixel stands for which have a say in it, at most."""
        reach, stride = 0, 1
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d):
                reach += module.kernel_size[0] // 2 * stride
                stride *= module.stride[0]
            elif isinstance(module, nn.MaxPool2d):
                stride *= 2
        return reach

    def narrowed(self, deepest: str, channels: Mapping[str, torch.Tensor]) -> "ChainTrunk":
        """Cut the chain after a tapped layer, of which only some channels are computed.

        Parameters
        ----------
        channels
            Layer → numbers of channels; other layers are not tapped.
        """
        taps = {index: name for index, name in self.taps.items() if name in channels}
        end = max(taps)
        features = list(self.features[: end + 1])
        features[end - 1] = with_outputs(features[end - 1], channels[deepest])
        return ChainTrunk(nn.Sequential(*features), taps)

    def walk(self, images: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the maps of the tapped layers, shallow to deep, (n, channel, row, col)."""
        for index, module in enumerate(self.features):
            images = module(images)
            if index in self.taps:
                yield self.taps[index], images


def digest_of(module: nn.Module) -> str:
    """SHA-256 over a module's floating-point parameters and buffers as float16, in order of depth."""
    digest = hashlib.sha256()
    for value in module.state_dict().values():
        if value.is_floating_point():
            half = value.detach().to("cpu", torch.float16).contiguous()
            digest.update(repr(tuple(half.shape)).encode())
            digest.update(half.numpy().tobytes())
    return digest.hexdigest()


def assemble(
    architecture: Architecture, state: Mapping[str, torch.Tensor], layers: Sequence[str], source: str
) -> Network:
    """Build a network cut after the deepest of ``layers`` from its weights.

    Parameters
    ----------
    state
        Weights under torchvision's names; names beyond the cut may be missing or are ignored.
    source
        Where the weights come from, for error messages.

    Raises
    ------
    ConfigError
        The architecture has no such layer.
    WeightsError
        A weight up to the deepest layer is missing or of another shape.
    """
    order = list(architecture.nodes)
    unknown = [name for name in layers if name not in architecture.nodes]
    if unknown or not layers:
        raise ConfigError(
            f"{architecture.name} has no layer {', '.join(unknown) or '(none named)'}; it has {', '.join(order)}"
        )
    chosen = sorted(dict.fromkeys(layers), key=order.index)
    with torch.device("meta"):
        trunk = _cut(architecture, chosen)
        if architecture.own_shapes:
            fit_shapes(trunk, state, narrower=architecture.plan is None)
        try:
            described = _describe(trunk, chosen)
        except RuntimeError as error:
            raise WeightsError(f"{source}: its layers do not fit together ({error}); make it again") from error
    _load(trunk, state, source, chosen[-1])
    return Network(architecture.name, trunk.requires_grad_(False), described, architecture.min_px).eval()


def _cut(architecture: Architecture, layers: Sequence[str]) -> nn.Module:
    if architecture.plan is None:
        model = architecture.build().eval()
        from torchvision.models.feature_extraction import create_feature_extractor

        nodes = {architecture.nodes[name]: name for name in layers}
        extractor: nn.Module = create_feature_extractor(model, return_nodes=nodes, suppress_diff_warning=True)
        return extractor
    taps = {tap.index: tap.name for tap in chain_taps(architecture.plan) if tap.name in layers}
    features = build_chain(architecture.plan)[: max(taps) + 1]
    return ChainTrunk(features, taps)


def _describe(trunk: nn.Module, layers: Sequence[str]) -> list[Layer]:
    maps = trunk.eval()(torch.empty(1, 3, _PROBE_PX, _PROBE_PX))
    return [
        Layer(name, int(maps[name].shape[1]), 2 ** ((_PROBE_PX // int(maps[name].shape[2])).bit_length() - 1))
        for name in layers
    ]


def _load(trunk: nn.Module, state: Mapping[str, torch.Tensor], source: str, deepest: str) -> None:
    wanted = trunk.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    if missing:
        raise WeightsError(f"{source} holds no {missing[0]}, which is needed up to layer {deepest}")
    wrong = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if wrong:
        shapes = f"{tuple(state[wrong[0]].shape)} where {tuple(wanted[wrong[0]].shape)} is needed"
        raise WeightsError(f"{source} belongs to another network: {wrong[0]} has shape {shapes}")
    # Counters of batch norm are no parameters: they stay whole numbers, so that the digest leaves them out.
    values = {name: state[name].to(value.dtype) if name in state else torch.tensor(0) for name, value in wanted.items()}
    trunk.load_state_dict(values, assign=True)
    if not all(bool(torch.isfinite(v).all()) for v in values.values()):
        raise WeightsError(f"{source} holds values that are not finite; download the file again")
