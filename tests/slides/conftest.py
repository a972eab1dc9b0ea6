"""Small slides of every kind, made on the spot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.runs import own_cache, shared

__all__ = ["own_cache", "shared"]

Picture = NDArray[np.uint8]


@pytest.fixture(scope="session")
def picture() -> Callable[..., Picture]:
    """Maker of smooth coloured noise, (height, width, 3)."""

    def make(height: int, width: int, seed: int = 0) -> Picture:
        coarse = np.random.default_rng(seed).integers(40, 250, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
        grown = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(grown)

    return make


@pytest.fixture
def write_pyramid(tmp_path: Path) -> Callable[..., Path]:
    """Writer of a tiled pyramid, each level the 2x2 means of the one before."""

    def write(
        image: NDArray[Any],
        levels: int = 3,
        name: str = "pyramid.tif",
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        ome = ".ome." in name
        with tifffile.TiffWriter(path, bigtiff=options.pop("bigtiff", False), ome=ome) as writer:
            for level in range(levels):
                extra: dict[str, Any] = {"subfiletype": 1} if level else {}
                if ome and not level:
                    extra = {"subifds": levels - 1}
                writer.write(image, tile=(64, 64), photometric="rgb", **options, **extra)
                image = np.asarray(Image.fromarray(image).reduce(2))
        return path

    return write
