"""torchvision's own networks with seeded random parameters, and images to show them."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

ImageMaker = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def tissue_like() -> ImageMaker:
    """Maker of images with structure at all scales: (tile, row, col, rgb), 8 bit."""

    def make(count: int, side_px: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        images = np.zeros((count, side_px, side_px, 3))
        for index in range(count):
            for cells in (4, 11, 30, side_px):
                coarse = rng.integers(0, 256, (cells, cells, 3), np.uint8)
                images[index] += np.asarray(Image.fromarray(coarse).resize((side_px, side_px), 3)) / 4
        return images.round().astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def seeded() -> Callable[[nn.Module], nn.Module]:
    """Give a module random parameters and running statistics that keep its activations alive."""

    def fill(module: nn.Module, seed: int = 0) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                value.zero_()
            elif value.dim() > 1:
                value.normal_(0, math.sqrt(2 / value[0].numel()), generator=generator)
            elif name.endswith(("running_var", "weight")):
                value.uniform_(0.5, 1.5, generator=generator)
            else:
                value.normal_(0, 0.1, generator=generator)
        return module.eval()

    return fill
