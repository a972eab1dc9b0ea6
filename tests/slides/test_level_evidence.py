"""Pixels tell at which factor a level shows what the finer one shows."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import RegionError
from wsi_scale.slides.level_evidence import Comparison, Evidence, Read, textured_places

Picture = NDArray[np.uint8]
Make = Callable[..., Picture]

MIDDLE = ((0.5, 0.5), (0.2, 0.8), (0.8, 0.2))


def reader(*levels: Picture) -> Read:
    return lambda number, x, y, width, height: levels[number][y : y + height, x : x + width]


def sizes(*levels: Picture) -> list[tuple[int, int]]:
    return [(level.shape[1], level.shape[0]) for level in levels]


def compared(finer: Picture, level: Picture, factor: float) -> Evidence | None:
    comparison = Comparison(reader(finer, level), (0, 1), *sizes(finer, level), (1.0, 1.0), MIDDLE)
    return comparison((factor, factor))


def halved(image: Picture, *, off: int = 0) -> Picture:
    """Means of 2 × 2 pixels, from ``off`` pixels further to the right on."""
    return np.asarray(Image.fromarray(np.roll(image, -off, axis=1)).reduce(2))


def test_the_true_factor_agrees_and_no_other_does(picture: Make) -> None:
    image = picture(600, 600)
    level = halved(image)
    for factor in (1.5, 2.0, 2.5, 4.0):
        evidence = compared(image, level, factor)
        assert evidence is not None
        assert evidence.agrees(factor) is (factor == 2.0)


@pytest.mark.parametrize("off", [0, 1])
def test_a_level_that_lies_off_is_told_by_how_much(picture: Make, off: int) -> None:
    evidence = compared(picture(600, 600), halved(picture(600, 600), off=off), 2.0)
    assert evidence is not None
    assert evidence.shift_px == pytest.approx(off / 2, abs=0.06)
    assert evidence.agrees(2.0) is (off == 0)


@pytest.mark.parametrize("kind", ["mirrored", "inverted"])
def test_another_picture_does_not_agree(picture: Make, kind: str) -> None:
    image = picture(600, 600)
    level = halved(image[:, ::-1]) if kind == "mirrored" else 255 - halved(image)
    evidence = compared(image, level, 2.0)
    assert evidence is not None
    assert not evidence.agrees(2.0)
    assert (evidence.likeness < -0.9) is (kind == "inverted")


def test_glass_and_damage_tell_nothing(picture: Make) -> None:
    glass = np.full((600, 600, 3), 240, np.uint8)
    assert compared(glass, halved(glass), 2.0) is None
    image = picture(600, 600)

    def broken(*_: int) -> Picture:
        raise RegionError("nothing can be decoded")

    assert Comparison(broken, (0, 1), *sizes(image, halved(image)), (1.0, 1.0), MIDDLE)((2.0, 2.0)) is None


def test_transparent_pixels_count_as_white(picture: Make) -> None:
    image = picture(600, 600)
    clear = np.dstack([image, np.full((600, 600), 255, np.uint8)])
    clear[300:, :, 3] = 0
    white = image.copy()
    white[300:] = 255
    evidence = compared(clear, halved(white), 2.0)
    assert evidence is not None
    assert evidence.agrees(2.0)


def test_places_with_texture_come_first(picture: Make) -> None:
    small = np.full((120, 180, 3), 240, np.uint8)
    small[:60, :90] = picture(60, 90)
    levels = (small, small)
    places = textured_places(sizes(*levels), reader(*levels))

    assert sorted(places) == sorted(textured_places(sizes(small), reader(small)))  # all of them, in some order
    first_blank = next(n for n, (x, y) in enumerate(places) if x > 0.5 or y > 0.5)
    assert first_blank >= 4
    assert all(x > 0.4 or y > 0.4 for x, y in places[first_blank:])
