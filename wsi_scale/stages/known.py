"""What fingerprints need of a network, without loading it where its file is known."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.state import FolderState, KnownLayer, KnownNetwork
from wsi_scale.errors import WeightsError
from wsi_scale.networks.places import files_behind, network_file
from wsi_scale.stages.job import known_identity
from wsi_scale.version import __version__

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


def known_network(
    state: FolderState, network: str, weights: Path | None, asked: Sequence[str | None], load: Callable[[], "Network"]
) -> KnownNetwork:
    """Tell a network's digest and tapped layers; it is loaded only where its file or what is asked of it is new.

    Parameters
    ----------
    network, weights
        As configured.
    asked
        What decides which layers are tapped.
    load
        Loads it; may raise UserError.
    """
    file = next(iter(files_behind(network, weights)), None)
    if file is None or not file.is_file():
        return describe(load())
    name = network if network_file(network) is None else ""
    key = fingerprint(
        "network", name=name, weights=weights is not None, file=known_identity(state, file), asked=list(asked),
        version=__version__,  # another one may tap other layers by default
    )  # fmt: skip
    return state.network(key, lambda: describe(load()))


def check_known(network: "Network", known: KnownNetwork) -> "Network":
    """Make sure that a network that was loaded to compute with is the one that the fingerprint is of.

    Raises
    ------
    WeightsError
        Its file was replaced in between.
    """
    if describe(network) != known:
        raise WeightsError(f"the weights of {known.name} were replaced while they were read; run again")
    return network


def describe(network: "Network") -> KnownNetwork:
    """Note what fingerprints need of a network at hand."""
    structure = hashlib.sha256(repr(list(network.trunk.named_modules())[1:]).encode()).hexdigest()[:16]
    layers = tuple(KnownLayer(layer.name, layer.channels) for layer in network.layers)
    return KnownNetwork(network.name, network.digest, structure, layers)
