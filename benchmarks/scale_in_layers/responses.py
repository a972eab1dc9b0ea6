"""Pooled responses of every layer, computed once for each network and set of inputs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import resolve
from wsi_scale.execution.progress import progress
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.network import Network

Responses = dict[str, NDArray[np.float32]]

#: Megapixels in a batch: the maps of all layers are held at once, some 60 MB for an image of 224 px in VGG19.
BATCH_MPX = 0.4
#: Images between two steps of the progress bar.
_STEP = 32


@dataclass(frozen=True)
class Inputs:
    """Images of one size.

    Attributes
    ----------
    name
        As its file in the cache begins.
    key
        All that the images depend on.
    images
        Makes (image, row, col, rgb).
    """

    name: str
    key: str
    images: Callable[[], NDArray[np.uint8]]


def layer_responses(network: Network, inputs: Inputs) -> Responses:
    """Layer → (image, channel) spatial means, shallow to deep; from the cache where they are there."""
    stamp = hashlib.sha256(f"{inputs.key}|{[layer.name for layer in network.layers]}".encode()).hexdigest()[:10]
    path = RESULTS / "features" / network.digest[:16] / f"layers-{inputs.name}-{stamp}.npz"
    if not path.exists():
        computed = _compute(network, inputs)
        with replacing_file(path) as part, part.open("wb") as stream:
            np.savez(stream, **computed)
    with np.load(path) as stored:
        return {layer.name: stored[layer.name] for layer in network.layers}


def _compute(network: Network, inputs: Inputs) -> dict[str, Any]:
    execution = ExecutionConfig(dtype="float32", threads=torch.get_num_threads(), batch_mpx=BATCH_MPX)
    compute = resolve(execution)
    placed = place(network, compute)
    images = inputs.images()
    parts = []
    with progress(f"{network.name}, {inputs.name}", len(images), unit="images") as advance:
        for start in range(0, len(images), _STEP):
            parts.append(pooled_responses(placed, images[start : start + _STEP], compute))
            advance(len(images[start : start + _STEP]))
    return {layer.name: np.concatenate([part[layer.name] for part in parts]) for layer in network.layers}
