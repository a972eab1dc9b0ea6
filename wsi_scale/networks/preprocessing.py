"""From 8-bit RGB to the input that the networks were trained on."""

from functools import cache

import torch

#: torchvision's ImageNet mean and standard deviation of RGB in 0–1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 (n, row, col, rgb) to normalised float32 (n, rgb, row, col), channels last in memory."""
    mean, std = _on(images.device)
    # A permuted view of (n, row, col, rgb) already is "channels last", so no copy is made.
    return (images - mean).div_(std).permute(0, 3, 1, 2)


@cache
def _on(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation in 0–255, copied once: a copy waits for the device."""
    mean, std = (torch.tensor(value, device=device) * 255 for value in (MEAN, STD))
    return mean, std
