"""Transparent places of a slide, at the size of a thumbnail."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wsi_scale.slides import Level, Slide
from wsi_scale.slides.coverage import transparent_places

Alpha = NDArray[np.uint8]


class Veiled(Slide):
    """Levels whose opacity is given; None where the format has none."""

    def __init__(self, *alphas: Alpha | None, size: tuple[int, int] = (600, 400)) -> None:
        self._alphas = alphas
        sides = [(alpha.shape[1], alpha.shape[0]) if alpha is not None else size for alpha in alphas]
        levels = tuple(Level(width, height, sides[0][0] / width) for width, height in sides)
        super().__init__(Path("veiled.png"), "none", levels, {})
        self.read_levels: set[int] = set()
        self.broken_below: int | None = None

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        self.read_levels.add(level)
        if self.broken_below is not None and y + height > self.broken_below:
            raise ValueError("cannot be decoded")
        alpha = self._alphas[level]
        colour = np.zeros((height, width, 3), np.uint8)
        return colour if alpha is None else np.dstack([colour, alpha[y : y + height, x : x + width]])

    def close(self) -> None: ...


def left_half(height: int, width: int) -> Alpha:
    """Opaque on the left, transparent on the right."""
    return np.repeat(np.where(np.arange(width) < width // 2, 255, 0)[None].astype(np.uint8), height, axis=0)


@pytest.mark.parametrize("size", [(60, 40), (150, 100), (600, 400), (97, 64)])
def test_the_mask_has_the_thumbnails_size_and_the_slides_places(size: tuple[int, int]) -> None:
    mask = transparent_places(Veiled(left_half(400, 600)), size)
    assert mask is not None
    assert mask.shape == size[::-1]
    edge = size[0] // 2
    assert not mask[:, : edge - 1].any()
    assert mask[:, edge + 2 :].all()


def test_a_format_without_transparency_and_an_opaque_slide_have_no_mask() -> None:
    assert transparent_places(Veiled(None), (60, 40)) is None
    assert transparent_places(Veiled(np.full((400, 600), 255, np.uint8)), (60, 40)) is None


@pytest.mark.parametrize(("opacity", "transparent"), [(127, True), (128, False)])
def test_what_is_more_transparent_than_not_counts(opacity: int, transparent: bool) -> None:
    mask = transparent_places(Veiled(np.full((600, 600), opacity, np.uint8)), (60, 60))
    assert (mask is not None) is transparent


def test_the_coarsest_level_of_some_size_is_read_alone() -> None:
    slide = Veiled(left_half(2400, 2400), left_half(1200, 1200), left_half(300, 300))
    mask = transparent_places(slide, (100, 100))
    assert slide.read_levels == {1}
    assert mask is not None
    assert mask.mean() == pytest.approx(0.5, abs=0.02)


def test_what_cannot_be_decoded_is_not_transparent() -> None:
    slide = Veiled(left_half(2000, 600))
    slide.broken_below = 1024
    mask = transparent_places(slide, (60, 200))
    assert mask is not None
    assert mask[:100, 31:].all()
    assert not mask[105:].any()
