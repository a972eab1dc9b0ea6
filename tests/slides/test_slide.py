"""What every opened slide does, whichever library reads it."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.reading import whole
from wsi_scale.slides import Level, Slide, open_slide
from wsi_scale.slides.slide import level_scale

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


class Drawn(Slide):
    """Levels given as arrays, as a reader would report them."""

    def __init__(self, *levels: NDArray[np.uint8], vendor: str = "none", **properties: str) -> None:
        self._drawn = levels
        sizes = [(level.shape[1], level.shape[0]) for level in levels]
        reported = tuple(Level(width, height, sizes[0][0] / width) for width, height in sizes)
        super().__init__(Path("drawn.tif"), vendor, reported, properties)
        self.closed = False

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        return self._drawn[level][y : y + height, x : x + width]

    def close(self) -> None:
        self.closed = True


def even(side: int, *colour: int) -> NDArray[np.uint8]:
    return np.full((side, side, len(colour)), colour, np.uint8)


@pytest.mark.parametrize(
    ("given", "background"),
    [
        ("#102030", (16, 32, 48)),
        ("FFffFF", (255, 255, 255)),
        ("#12345", (0, 0, 0)),
        ("grey", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_a_background_that_the_file_names_is_taken_where_it_is_a_colour(
    given: str, background: tuple[int, int, int]
) -> None:
    dark = Drawn(even(100, 5, 5, 5), **{"openslide.background-color": given})
    assert dark.background == background


def test_transparent_pixels_do_not_count_in_the_border() -> None:
    dark = even(100, 5, 5, 5, 255)
    dark[:, :90] = (250, 250, 250, 0)
    assert Drawn(dark).background == (0, 0, 0)
    assert Drawn(even(100, 5, 5, 5, 0)).background == (255, 255, 255)  # nothing tells: as on glass


@pytest.mark.parametrize(("alpha", "shown"), [(255, 100), (0, 255), (128, 177)])
def test_what_is_half_transparent_is_half_the_background(alpha: int, shown: int) -> None:
    slide = Drawn(even(64, 100, 100, 100, alpha), **{"openslide.background-color": "#ffffff"})
    assert np.unique(slide.read(0, 3, 4, 20, 10)).tolist() == [shown]
    read = slide.read_alpha(0, 3, 4, 20, 10)
    assert read is not None
    assert (read.shape, np.unique(read).tolist()) == ((10, 20), [alpha])
    assert Drawn(even(64, 1, 2, 3)).read_alpha(0, 0, 0, 5, 5) is None


@pytest.mark.parametrize(
    "box", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 0, 5), (0, 0, 5, 0), (60, 0, 5, 5), (0, 60, 5, 5)]
)
def test_a_box_must_lie_inside_its_level(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="leaves level 0"):
        Drawn(even(64, 1, 2, 3)).read(0, *box)


def test_levels_have_the_factors_of_their_sizes_along_each_axis() -> None:
    slide = Drawn(np.zeros((500, 900, 3), np.uint8), np.zeros((125, 225, 3), np.uint8))
    assert (slide.width, slide.height) == (900, 500)
    assert [level_scale(slide, number) for number in (0, 1)] == [(1.0, 1.0), (4.0, 4.0)]


def test_a_slide_is_closed_at_the_end_of_its_block_and_keeps_its_properties() -> None:
    with Drawn(even(64, 1, 2, 3), note="kept") as slide:
        assert not slide.closed
    assert slide.closed
    assert slide.properties["note"] == "kept"
    with pytest.raises(TypeError):
        slide.properties["note"] = "changed"  # type: ignore[index]
