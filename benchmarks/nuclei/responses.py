"""What a frozen network answers on the patches, layer by layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import compute_here, responses_to
from benchmarks.nuclei.patches import Patches
from wsi_scale.networks.load import NetworkSource, find_network


@dataclass(frozen=True)
class NetworkResponses:
    """A network and the pooled responses of all its layers to the patches of a data set.

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


def read_responses(name: str, patches: Patches) -> NetworkResponses:
    """Pooled responses of a network to patches, from the cache where they are there."""
    source = find_network(name)
    network = source.tapped(tuple(source.architecture.nodes))
    pooled = responses_to(patches.images, network, compute_here(), f"nuclei-{patches.dataset}")
    return NetworkResponses(name, source, network.digest, pooled)
