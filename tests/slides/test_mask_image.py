"""Masks as people draw them: what is transparent is not tissue, whatever colour hides beneath."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsi_scale.slides import Thumbnail, read_mask_image

#: Where the drawn masks have tissue: the left half of 60 × 40 px.
LEFT = np.arange(60)[None, :].repeat(40, axis=0) < 30


def _rgba(tissue: tuple[int, ...], background: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(np.where(LEFT[..., None], tissue, background).astype(np.uint8))


def _palette(transparent: int | bytes, indices: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(np.where(LEFT, *indices).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 0, 0])
    image.info["transparency"] = transparent
    return image


def _keyed() -> Image.Image:
    image = Image.fromarray(np.where(LEFT, 200, 90).astype(np.uint8))
    image.info["transparency"] = 90
    return image


MASKS: dict[str, Callable[[], Image.Image]] = {
    "white on transparent white": lambda: _rgba((255, 255, 255, 255), (255, 255, 255, 0)),
    "red on transparent black": lambda: _rgba((255, 0, 0, 255), (0, 0, 0, 0)),
    "half transparent overlay": lambda: _rgba((0, 255, 0, 90), (255, 255, 255, 0)),
    "black on transparent": lambda: _rgba((0, 0, 0, 255), (0, 0, 0, 0)),
    "black on transparent white": lambda: _rgba((0, 0, 0, 255), (255, 255, 255, 0)),
    "all opaque": lambda: _rgba((255, 255, 255, 255), (0, 0, 0, 255)),
    "grey with alpha": lambda: Image.fromarray(
        np.dstack([np.full(LEFT.shape, 255), np.where(LEFT, 255, 0)]).astype(np.uint8), "LA"
    ),
    "palette with one transparent entry": lambda: _palette(0, (1, 0)),
    "palette with opacities": lambda: _palette(bytes([0, 255, 255]), (1, 0)),
    "grey with a transparent level": _keyed,
    "16 bits below 256": lambda: Image.fromarray(np.where(LEFT, 7, 0).astype(np.uint16)),
    "16 bits above 256": lambda: Image.fromarray(np.where(LEFT, 256, 0).astype(np.uint16)),
    "one bit": lambda: Image.fromarray(LEFT),
    "colour": lambda: _rgba((0, 0, 1), (0, 0, 0)),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_is_read_as_it_was_drawn(tmp_path: Path, kind: str) -> None:
    MASKS[kind]().save(tmp_path / "mask.png")
    thumbnail = Thumbnail(np.zeros((80, 120, 3), np.uint8), 1.0, 1.0)
    np.testing.assert_array_equal(read_mask_image(tmp_path / "mask.png", thumbnail), LEFT.repeat(2, 0).repeat(2, 1))


def test_a_mask_that_is_transparent_all_over_has_no_tissue(tmp_path: Path) -> None:
    _rgba((255, 0, 0, 0), (0, 0, 0, 0)).save(tmp_path / "mask.png")
    assert not read_mask_image(tmp_path / "mask.png", Thumbnail(np.zeros((40, 60, 3), np.uint8), 1.0, 1.0)).any()
