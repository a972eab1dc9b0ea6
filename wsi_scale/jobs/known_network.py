"""What fingerprints need of a network, without loading it if its file is known."""

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
