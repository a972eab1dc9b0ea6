"""What is stored about a network, so that it need not be loaded for a fingerprint."""

import hashlib
from typing import TYPE_CHECKING

from wsi_scale.artifacts.state import KnownLayer, KnownNetwork
from wsi_scale.errors import WeightsError

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


def check_known(network: "Network", known: KnownNetwork) -> "Network":
    """Check that a loaded network is the one of the fingerprint.

    Raises
    ------
    WeightsError
        Its file was replaced in between.
    """
    if describe(network) != known:
        raise WeightsError(f"the weights of {known.name} were replaced while they were read; run again")
    return network


def describe(network: "Network") -> KnownNetwork:
    """Describe a loaded network for fingerprints."""
    structure = hashlib.sha256(repr(list(network.trunk.named_modules())[1:]).encode()).hexdigest()[:16]
    layers = tuple(KnownLayer(layer.name, layer.channels) for layer in network.layers)
    return KnownNetwork(network.name, network.digest, structure, layers)
