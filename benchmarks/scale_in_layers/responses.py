"""Pooled responses of every layer."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Responses, compute_here, responses_to
from wsi_scale.networks.network import Network

#: Megapixels in a batch: the maps of all layers are held at once, some 60 MB for an image of 224 px in VGG19.
BATCH_MPX = 0.4


def layer_responses(network: Network, images: NDArray[np.uint8], name: str) -> Responses:
    """Layer → (image, channel) spatial means, shallow to deep; from the cache where they are there."""
    return responses_to(images, network, compute_here(BATCH_MPX), f"layers-{name}")
