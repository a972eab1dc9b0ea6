"""The batched forward pass: 8-bit tiles in, spatial means of the tapped layers out."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from wsi_scale.execution.compute import Compute, split_batches
from wsi_scale.networks.network import Network
from wsi_scale.networks.preprocessing import normalise


def place(network: Network, compute: Compute) -> Network:
    """Move a network to its device and dtype, channels last."""
    moved: Network = network.to(compute.device, compute.torch_dtype).to(memory_format=torch.channels_last)
    return moved


def pooled_responses(network: Network, images: NDArray[np.uint8], compute: Compute) -> dict[str, NDArray[np.float32]]:
    """Pass images of one size through a placed network.

    Parameters
    ----------
    images
        (tile, row, col, rgb).

    Returns
    -------
    responses
        Layer → (tile, channel), float32. Batches depend on the image size and the configuration only.
    """
    compute.use_threads()
    parts: list[dict[str, torch.Tensor]] = []
    for batch in split_batches(len(images), compute.batch_size(images.shape[1])):
        with torch.inference_mode():
            tensor = torch.from_numpy(np.require(images[batch], requirements="W")).to(compute.device)
            answers = network(normalise(tensor).to(compute.torch_dtype))
            parts.append({name: value.cpu() for name, value in answers.items()})
    return {layer.name: torch.cat([part[layer.name] for part in parts]).numpy() for layer in network.layers}


def ladder_responses(
    network: Network, images: Sequence[NDArray[np.uint8] | None], compute: Compute
) -> dict[str, NDArray[np.float32]]:
    """Pass the rungs of a ladder through a placed network.

    Parameters
    ----------
    images
        One (tile, size, size, rgb) a rung; None for a rung that cannot be read.

    Returns
    -------
    responses
        Layer → (tile, channel, rung), float32; NaN on rungs that cannot be read.
    """
    rungs = [None if image is None else pooled_responses(network, image, compute) for image in images]
    count = next(len(image) for image in images if image is not None)
    responses = {}
    for layer in network.layers:
        values = np.full((count, layer.channels, len(images)), np.nan, np.float32)
        for index, rung in enumerate(rungs):
            if rung is not None:
                values[:, :, index] = rung[layer.name]
        responses[layer.name] = values
    return responses
