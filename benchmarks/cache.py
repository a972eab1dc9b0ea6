"""The one cache of what networks answer, in results/bench/features: each file is named after all that it depends on.

A network's digest is too little: images may be others under the same names, and the same network may be read at other
layers, on another device or by another version of the package.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.network import Network
from wsi_scale.version import __version__

Arrays = dict[str, NDArray[Any]]
Responses = dict[str, NDArray[np.float32]]

FEATURES = RESULTS / "features"
#: Images between two steps of the progress bar.
STEP = 32


def kept_arrays(
    kind: str, depends_on: Mapping[str, Any], make: Callable[[], Mapping[str, NDArray[Any]]], folder: Path = FEATURES
) -> Arrays:
    """Read arrays, or make and keep them.

    Parameters
    ----------
    kind
        What they are, as their file's name begins.
    depends_on
        All that they depend on, JSON-able; the package's version is added.
    """
    path = folder / f"{kind}-{fingerprint(kind, package=__version__, **depends_on)}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(path) as part, part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **make())
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def network_identity(network: Network, compute: Compute) -> dict[str, Any]:
    """Name what responses depend on beside the images: weights, layers, device and dtype."""
    layers = [layer.name for layer in network.layers]
    return {
        "network": network.name,
        "digest": network.digest,
        "layers": layers,
        "device": compute.device,
        "dtype": compute.dtype,
    }


def images_identity(images: NDArray[np.uint8]) -> str:
    """Digest of images: their shape and all pixels."""
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()[:32]


#: Digest of a file's content; each file is read once.
identity_of_file = cache(file_identity)


def compute_here(batch_mpx: float | None = None) -> Compute:
    """Run on the GPU where there is one, in float32, with as many threads as the process was given."""
    return resolve(ExecutionConfig(dtype="float32", threads=torch.get_num_threads(), batch_mpx=batch_mpx))


def responses_to(
    images: NDArray[np.uint8], network: Network, compute: Compute, name: str, folder: Path = FEATURES
) -> Responses:
    """Spatial means of a network's layers, from the cache where they are there.

    Parameters
    ----------
    images
        (image, row, col, rgb).
    name
        What the images are, for the progress bar and the file's name.

    Returns
    -------
    responses
        Layer → (image, channel), shallow to deep.
    """
    depends_on = network_identity(network, compute) | {"images": images_identity(images)}
    return kept_arrays(name, depends_on, lambda: _pass(images, place(network, compute), compute, name), folder)


def _pass(images: NDArray[np.uint8], network: Network, compute: Compute, name: str) -> Responses:
    parts = []
    with progress(f"{network.name}, {name}", len(images), unit="images") as advance:
        for start in range(0, len(images), STEP):
            parts.append(pooled_responses(network, images[start : start + STEP], compute))
            advance(len(images[start : start + STEP]))
    return {layer.name: np.concatenate([part[layer.name] for part in parts]) for layer in network.layers}
