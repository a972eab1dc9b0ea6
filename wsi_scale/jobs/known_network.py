"""Whether a network is there, and what fingerprints need of it, without loading it if its file is known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.state import FolderState, KnownNetwork
from wsi_scale.jobs.runner import known_identity
from wsi_scale.networks.known import describe
from wsi_scale.networks.places import files_behind, network_file
from wsi_scale.version import __version__

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


def check_at_hand(network: str, weights: Path | None) -> None:
    """Make sure, before any work, that a network's weights are on this machine; else they are downloaded now.

    Raises
    ------
    ConfigError, WeightsError
        There is no such network, or its weights are neither here nor to be downloaded.
    """
    if not any(path.is_file() for path in files_behind(network, weights)):
        from wsi_scale.networks.load import find_network

        find_network(network, weights)


def known_network(
    state: FolderState, network: str, weights: Path | None, asked: Sequence[str | None], load: Callable[[], "Network"]
) -> KnownNetwork:
    """Return a network's digest and tapped layers; it is loaded only if its file or the request is new.

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
