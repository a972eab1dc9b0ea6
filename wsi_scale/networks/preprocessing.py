"""From 8-bit RGB to the input that the networks were trained on."""

import torch

#: torchvision's ImageNet mean and standard deviation of RGB in 0–1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 (n, row, col, rgb) to normalised float32 (n, rgb, row, col), channels last in memory."""
    mean, std = (torch.tensor(v, device=images.device) * 255 for v in (MEAN, STD))
    # A permuted view of (n, row, col, rgb) already is "channels last", so no copy is made.
    return (images - mean).div_(std).permute(0, 3, 1, 2)
