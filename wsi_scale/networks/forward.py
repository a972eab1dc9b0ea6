"""The batched forward pass: 8-bit tiles in, spatial means of the tapped layers out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute
from wsi_scale.networks.network import Network
from wsi_scale.networks.preprocessing import normalise


def place(network: Network, compute: Compute) -> Network:
    """Move a network to its device and dtype, channels last."""
    moved: Network = network.to(compute.torch_device, compute.torch_dtype).to(memory_format=torch.channels_last)
    return moved


def respond(network: Network, images: torch.Tensor, compute: Compute, batch: int) -> dict[str, torch.Tensor]:
    """Pass images of one size through a placed network in batches of one shape; it stays on the device.

    The last batch is filled up with black images, so that the response of an image depends neither on the images
    beside it nor on how many there are.

    Parameters
    ----------
    images
        (tile, row, col, rgb) uint8, on the device of the network.
    batch
        Images that go through the network at once.

    Returns
    -------
    responses
        Layer → (tile, channel), float32.
    """
    parts: list[dict[str, torch.Tensor]] = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            if len(part) < batch:
                part = torch.cat([part, part.new_zeros(batch - len(part), *part.shape[1:])])
            parts.append(network(normalise(part).to(compute.torch_dtype)))
        return {name: torch.cat([part[name] for part in parts])[: len(images)] for name in parts[0]}


def block_responses(
    network: Network, images: torch.Tensor, compute: Compute, block: int
) -> dict[str, NDArray[np.float32]]:
    """Pass images of a block through a placed network, and copy the answers from its device.

    Parameters
    ----------
    images
        (tile, row, col, rgb) uint8, on the device of the network.
    block
        Images of a full block, of which these may be a part: batches are not larger.

    Returns
    -------
    responses
        Layer → (tile, channel), float32. Batches depend on image size, block and configuration only.

    Raises
    ------
    ConfigError
        The batch does not fit into the memory of the GPU.
    """
    compute.use_threads()
    batch = min(compute.batch_size(images.shape[1]), block)
    with _enough_memory(f"{batch} images of {images.shape[1]} px through {network.name}", compute):
        answers = respond(network, images, compute, batch)
        return {name: values.cpu().numpy() for name, values in answers.items()}


@contextmanager
def _enough_memory(what: str, compute: Compute) -> Iterator[None]:
    """Tell a GPU that is full in one line: halving a batch silently would change bits."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"the GPU has too little free memory for {what}: lower execution.batch_mpx (now {compute.batch_mpx:g}), "
            "or end other programs on the GPU"
        ) from error


def window_responses(
    network: Network,
    image: torch.Tensor,
    compute: Compute,
    starts: tuple[Sequence[float], Sequence[float]],
    size: int,
) -> dict[str, NDArray[np.float32]]:
    """Pass one image through a placed network, and average each map over windows on a lattice.

    Where a window begins or ends within a pixel of the map, that pixel counts by its share.

    Parameters
    ----------
    image
        (1, row, col, rgb) uint8, on the device of the network.
    starts
        Where the windows begin along x and along y, pixels of the image.
    size
        Side of a window, pixels of the image.

    Returns
    -------
    responses
        Layer → (window along y, window along x, channel), float32.
    """
    compute.use_threads()
    strides = {layer.name: layer.stride for layer in network.layers}
    found = {}
    sides = f"one image of {image.shape[2]} x {image.shape[1]} px through {network.name}"
    with torch.inference_mode(), _enough_memory(sides, compute):
        for name, maps in network.chosen_maps(normalise(image).to(compute.torch_dtype)):
            across, down = (
                torch.from_numpy(_window_weights(begin, size, strides[name], extent)).to(maps.device)
                for begin, extent in zip(starts, (maps.shape[3], maps.shape[2]), strict=True)
            )
            found[name] = torch.einsum("pi,kij,qj->pqk", down, maps[0].float(), across)
        return {name: values.cpu().numpy() for name, values in found.items()}


def _window_weights(starts: Sequence[float], size: int, stride: int, extent: int) -> NDArray[np.float32]:
    """(window, pixel of a map) share of each pixel in a window's mean, along one axis."""
    begin = np.asarray(starts, np.float64)[:, None] / stride
    pixel = np.arange(extent)
    covered = np.minimum(begin + size / stride, pixel + 1) - np.maximum(begin, pixel)
    share: NDArray[np.float32] = (np.clip(covered, 0, 1) * stride / size).astype(np.float32)
    return share


def pooled_responses(network: Network, images: NDArray[np.uint8], compute: Compute) -> dict[str, NDArray[np.float32]]:
    """Pass images of one size through a placed network.

    Parameters
    ----------
    images
        (tile, row, col, rgb).

    Returns
    -------
    responses
        Layer → (tile, channel), float32. Batches depend on image size, number of images and configuration only.
    """
    tensor = torch.from_numpy(np.require(images, requirements="W")).to(compute.torch_device)
    return block_responses(network, tensor, compute, len(images))


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
