"""Images of a block's tiles on the device that computes."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.turns import Place
from wsi_scale.slides.field_block import FieldBlock

if TYPE_CHECKING:
    import torch

    from wsi_scale.networks.resample import Resampler


class HostPixels:
    """Images that are resampled by Pillow and then copied to the device."""

    def __init__(self, block: FieldBlock, device: str) -> None:
        self._block = block
        self._device = device

    def images(self, rows: Sequence[int], size: int) -> "torch.Tensor":
        """Give the images of tiles, which can be decoded, at a side in pixels: (tile, row, col, rgb) uint8."""
        return to_device(np.stack(self._block.read(rows, (size, size))), self._device)


class DevicePixels:
    """Images that are resampled on the device, from regions that are copied to it once; equal to the host's."""

    def __init__(self, block: FieldBlock, resampler: "Resampler") -> None:
        self._block = block
        self._resampler = resampler
        self._regions: dict[int, tuple[NDArray[np.uint8], torch.Tensor]] = {}

    def images(self, rows: Sequence[int], size: int) -> "torch.Tensor":
        """Give the images of tiles, which can be decoded, at a side in pixels: (tile, row, col, rgb) uint8."""
        import torch

        from wsi_scale.networks.resample import Cut

        order, parts = [], []
        for pixels, pieces in self._block.pieces(rows, (size, size)):
            cuts = [Cut(piece.window, piece.box) for piece in pieces]
            parts.append(self._resampler.resample(self._region(pixels), cuts, size))
            order += [piece.row for piece in pieces]
        images = torch.cat(parts) if len(parts) > 1 else parts[0]
        if order == list(rows):
            return images
        place = {row: at for at, row in enumerate(order)}
        return images[to_device(np.array([place[row] for row in rows]), str(images.device))]

    def _region(self, pixels: NDArray[np.uint8]) -> "torch.Tensor":
        # The array is kept beside its copy, so that no other one can have its identity.
        if id(pixels) not in self._regions:
            self._regions[id(pixels)] = pixels, to_device(pixels, str(self._resampler.device))
        return self._regions[id(pixels)][1]


def pixels_on(block: FieldBlock, place: Place) -> HostPixels | DevicePixels:
    """Choose how images come to a place: resampled there on a GPU, else by Pillow."""
    if place.device == "cpu":
        return HostPixels(block, place.device)
    return DevicePixels(block, _resampler(place))


@cache
def _resampler(place: Place) -> "Resampler":
    """One for each place: its weights are copied on the stream of the place."""
    from wsi_scale.networks.resample import Resampler

    return Resampler(place.device)


def to_device(values: NDArray[np.generic], device: str) -> "torch.Tensor":
    """Copy an array to a device; to a GPU from pinned memory, so that nobody waits for the copy."""
    import torch

    tensor = torch.from_numpy(np.require(values, requirements=("C", "W")))
    return tensor if device == "cpu" else tensor.pin_memory().to(device, non_blocking=True)
