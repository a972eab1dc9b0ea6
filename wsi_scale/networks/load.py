"""A network by its name or file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from wsi_scale.errors import ConfigError, WeightsError
from wsi_scale.networks.architectures import Architecture, architecture
from wsi_scale.networks.file import read_network_file
from wsi_scale.networks.network import Network, assemble
from wsi_scale.networks.places import CARRIED, network_file
from wsi_scale.networks.weights import find_weights


@dataclass(frozen=True)
class NetworkSource:
    """A network that was found: its architecture, its weights, and their source."""

    architecture: Architecture
    state: Mapping[str, torch.Tensor]
    source: str

    def tapped(self, layers: Sequence[str]) -> Network:
        """Cut the network after the deepest of ``layers``."""
        return assemble(self.architecture, self.state, layers, self.source)

    def holds(self, layers: Sequence[str]) -> bool:
        """Whether the weights reach to the deepest of ``layers``."""
        try:
            self.tapped(layers)
        except WeightsError:
            return False
        return True


def find_network(network: str, weights: Path | None = None) -> NetworkSource:
    """Find a network by name or file.

    Parameters
    ----------
    network
        ``embedded``, a torchvision classifier's name, or the path of a network file.
    weights
        A weights file for a named network.

    Raises
    ------
    ConfigError
        Neither a file nor a known name, or weights for a network that brings its own.
    WeightsError
        Its weights cannot be found.
    """
    path = network_file(network)
    if path is not None:
        if weights is not None:
            raise ConfigError(
                f"weights={weights}: {network} has its own weights; omit weights, or name another network"
            )
        header, state = read_network_file(path)
        source = "the package" if network in CARRIED else str(path)
        return NetworkSource(header.architecture, state, source)
    known = architecture(network)
    state, source = find_weights(known, weights)
    return NetworkSource(known, state, source)


def search_layers(source: NetworkSource, method: str, layers: Sequence[str] | None) -> tuple[str, ...]:
    """Layers that the scale search reads: the configured ones, else the method's and network's own."""
    if layers:
        return tuple(layers)
    known = source.architecture
    return known.block_ends if method == "published" else known.search_layers
