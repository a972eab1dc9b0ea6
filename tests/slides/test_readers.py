"""The library that decodes pixels: the same pixels, whichever it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from wsi_scale import synthesis
from wsi_scale.errors import RegionError
from wsi_scale.slides import open_slide
from wsi_scale.slides.openslide_backend import OpenSlideSlide

Make = Callable[..., Any]
REAL = ("CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs", "skin-he_no-mpp.tif", "her2-cish_pyramid.tif")


def assert_same(path: Path, seed: int = 0, boxes: int = 12) -> None:
    """Compare both readers on boxes of every level."""
    rng = np.random.default_rng(seed)
    with open_slide(path) as usual, open_slide(path, "tifffile") as other:
        assert isinstance(other, OpenSlideSlide)
        assert other._decoder is not None
        assert (usual.levels, usual.vendor, usual.properties, usual.warnings, usual.background) == (
            other.levels, other.vendor, other.properties, other.warnings, other.background,
        )  # fmt: skip
        for level, own in enumerate(usual.levels):
            for _ in range(boxes):
                width, height = rng.integers(1, min(700, own.width) + 1), rng.integers(1, min(700, own.height) + 1)
                x, y = rng.integers(0, own.width - width + 1), rng.integers(0, own.height - height + 1)
                box = (level, int(x), int(y), int(width), int(height))
                np.testing.assert_array_equal(usual.read(*box), other.read(*box))


@pytest.mark.parametrize("levels", [1, 4])
def test_a_drawn_pyramid_has_the_same_pixels(picture: Make, write_pyramid: Make, levels: int) -> None:
    assert_same(write_pyramid(picture(509, 613), levels=levels))


@pytest.mark.parametrize("name", REAL)
def test_real_slides_have_the_same_pixels(data_root: Path, name: str) -> None:
    assert_same(data_root / "slides" / name, boxes=4)


def test_a_broken_tile_is_one_error_and_its_neighbours_are_read(picture: Make, tmp_path: Path) -> None:
    path = tmp_path / "slide.tiff"
    synthesis.write_pyramid(path, picture(700, 700), 0.25)
    with tifffile.TiffFile(path) as file:
        (offset, *_), (length, *_) = file.pages[0].dataoffsets, file.pages[0].databytecounts
        side = file.pages[0].tilewidth
    content = bytearray(path.read_bytes())
    content[offset + 20 : offset + length] = bytes(length - 20)
    path.write_bytes(content)
    with open_slide(path, "tifffile") as slide:
        with pytest.raises(RegionError):
            slide.read(0, 0, 0, 10, 10)
        assert slide.read(0, side + 1, 1, 10, 10).shape == (10, 10, 3)
