"""What a frozen network answers on the patches, layer by layer, computed once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from benchmarks.nuclei.patches import Patches
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.networks.network import Network

#: Patches between two steps of the progress bar.
CHUNK = 64


@dataclass(frozen=True)
class Responses:
    """Pooled responses of all of a network's layers.

    Attributes
    ----------
    name, source
        The network as a user writes it, and as it was found.
    digest
        Of its weights.
    pooled
        Layer → (patch, channel), shallow to deep.
    """

    name: str
    source: NetworkSource
    digest: str
    pooled: dict[str, NDArray[np.float32]]

    @property
    def last(self) -> str:
        """The deepest layer."""
        return next(reversed(self.pooled))


def read_responses(name: str, patches: Patches) -> Responses:
    """Pooled responses of a network on patches, from the cache where they are there."""
    source = find_network(name)
    layers = tuple(source.architecture.nodes)
    network = source.tapped(layers)
    path = RESULTS / "features" / network.digest[:16] / f"nuclei-{patches.dataset}-{patches.digest}.npz"
    if not path.exists():
        pooled = _pass(network, patches)
        with replacing_file(path) as part, part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **pooled)
    with np.load(path) as kept:
        return Responses(name, source, network.digest, {layer: kept[layer] for layer in layers})


def compute_here() -> Compute:
    """Run on the GPU where there is one, in float32, with as many threads as the process was given."""
    return resolve(ExecutionConfig(dtype="float32", threads=torch.get_num_threads()))


def _pass(network: Network, patches: Patches) -> dict[str, NDArray[np.float32]]:
    compute = compute_here()
    placed = place(network, compute)
    parts = []
    with progress(f"{network.name}, {patches.dataset}", len(patches.images), unit="patches") as advance:
        for start in range(0, len(patches.images), CHUNK):
            chunk = patches.images[start : start + CHUNK]
            parts.append(pooled_responses(placed, chunk, compute))
            advance(len(chunk))
    return {layer.name: np.concatenate([part[layer.name] for part in parts]) for layer in network.layers}
