"""What every opened slide does, whichever library reads it."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.reading import whole
from wsi_scale.slides import open_slide

Make = Callable[..., Any]


def test_alpha_is_laid_on_the_background(tmp_path: Path) -> None:
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:32, :, :3], rgba[:32, :, 3] = (200, 100, 50), 255
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        pixels = whole(tmp_path / name)
        assert pixels[0, 0].tolist() == [200, 100, 50]
        assert pixels[-1, 0].tolist() == [255, 255, 255]


def test_a_box_that_leaves_the_level_is_a_bug(picture: Make, write_pyramid: Make) -> None:
    with open_slide(write_pyramid(picture(128, 128))) as slide, pytest.raises(ValueError, match="leaves"):
        slide.read(0, 100, 0, 29, 10)


def test_a_dark_border_makes_a_dark_background(tmp_path: Path) -> None:
    dark = np.full((200, 200, 3), 6, np.uint8)
    dark[60:140, 60:140] = (0, 0, 220)
    Image.fromarray(dark).save(tmp_path / "dapi.png")
    Image.fromarray(255 - dark).save(tmp_path / "bright.png")
    with open_slide(tmp_path / "dapi.png") as slide:
        assert slide.background == (0, 0, 0)
    with open_slide(tmp_path / "bright.png") as slide:
        assert slide.background == (255, 255, 255)


def test_a_slide_is_never_pickled(picture: Make, write_pyramid: Make) -> None:
    with (
        open_slide(write_pyramid(picture(64, 64), levels=1)) as slide,
        pytest.raises(TypeError, match="path"),
    ):
        pickle.dumps(slide)
