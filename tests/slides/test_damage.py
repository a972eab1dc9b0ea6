"""A place that cannot be decoded is told, and every other place is read as before."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.damaged import Wound, damage, strewn, wiped
from wsi_scale.errors import RegionError
from wsi_scale.slides import Level, Slide, open_slide, read_thumbnail
from wsi_scale.slides.damage import SMALLEST_PX, Box, GapReader, closed

Make = Callable[..., Any]


@pytest.fixture(params=["t.tif", "t.ome.tif"], ids=["openslide", "tifffile"])
def sound(request: pytest.FixtureRequest, picture: Make, write_pyramid: Make) -> Path:
    """A pyramid of 512 px in tiles of 64, as each library reads it."""
    return write_pyramid(picture(512, 512), name=request.param, compression="zlib")


def whole(path: Path) -> NDArray[np.uint8]:
    with open_slide(path) as slide:
        return slide.read(0, 0, 0, slide.width, slide.height)


@pytest.mark.parametrize("wound", [wiped, strewn])
def test_one_bad_tile_costs_no_other(sound: Path, wound: Wound) -> None:
    truth = whole(sound)
    x, y, width, height = damage(sound, tile=19, wound=wound)
    with open_slide(sound) as slide:
        for _ in range(2):
            with pytest.raises(RegionError, match=f"level 0 cannot be decoded at x={x} y={y}"):
                slide.read(0, x, y, width, height)
            np.testing.assert_array_equal(slide.read(0, 0, 0, 512, y), truth[:y])
            np.testing.assert_array_equal(slide.read(0, x + width, y, 64, 64), truth[y : y + 64, x + width :][:, :64])


def test_threads_that_meet_a_bad_tile_leave_the_others_theirs(sound: Path) -> None:
    truth = whole(sound)
    left, top, width, height = damage(sound, tile=19)
    with open_slide(sound) as slide:
        barrier = threading.Barrier(8)

        def wrong(seed: int) -> int:
            places = np.random.default_rng(seed).integers(0, 448, (60, 2)).tolist()
            barrier.wait()
            count = 0
            for x, y in places:
                touches = left - 64 < x < left + width and top - 64 < y < top + height
                try:
                    same = np.array_equal(slide.read(0, x, y, 64, 64), truth[y : y + 64, x : x + 64])
                    count += touches or not same
                except RegionError:
                    count += not touches
            return count

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(wrong, range(8))) == [0] * 8


class Holed(Slide):
    """A pyramid in memory, each level with boxes that cannot be decoded."""

    def __init__(self, image: NDArray[np.uint8], holes: dict[int, list[Box]], levels: int = 1) -> None:
        self.images = [np.asarray(Image.fromarray(image).reduce(2**level)) for level in range(levels)]
        self.holes = holes
        sizes = [Level(im.shape[1], im.shape[0], 2.0**level) for level, im in enumerate(self.images)]
        super().__init__(Path("holed.tif"), "none", tuple(sizes), {})

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        for hole in self.holes.get(level, []):
            if hole.x < x + width and x < hole.x + hole.width and hole.y < y + height and y < hole.y + hole.height:
                raise OSError("broken")
        return self.images[level][y : y + height, x : x + width]

    def close(self) -> None: ...


def under(holes: list[Box], shape: tuple[int, int], grown_px: int = 0) -> NDArray[np.bool_]:
    """Which pixels lie in holes, or within ``grown_px`` of one."""
    mask = np.zeros(shape, np.bool_)
    for hole in holes:
        top, left = max(0, hole.y - grown_px), max(0, hole.x - grown_px)
        mask[top : hole.y + hole.height + grown_px, left : hole.x + hole.width + grown_px] = True
    return mask


holes_of_one_level = st.lists(
    st.builds(Box, st.integers(0, 600), st.integers(0, 500), st.integers(1, 120), st.integers(1, 120)), max_size=4
)


@given(holes_of_one_level, st.integers(0, 300), st.integers(0, 300), st.integers(1, 300), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_everything_but_the_holes_is_read_and_the_holes_are_marked(
    holes: list[Box], x: int, y: int, width: int, height: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (500, 600, 3), np.uint8)

    pixels, gaps = GapReader(Holed(image, {0: holes}), 0, 1.0).read(Box(x, y, width, height))

    seen = np.zeros((height, width), np.bool_) if gaps is None else gaps
    box = slice(y, y + height), slice(x, x + width)
    np.testing.assert_array_equal(pixels[~seen], image[box][~seen])
    assert seen[under(holes, (500, 600))[box]].all()
    assert not seen[~under(holes, (500, 600), SMALLEST_PX)[box]].any()


def test_a_gap_is_closed_from_the_next_level_that_can_be_decoded(picture: Make) -> None:
    image = picture(1024, 1024)
    hole = Box(300, 300, 40, 40)
    whole_slide = Holed(image, {}, levels=3)
    for broken in ([2], [2, 1]):
        holes = {level: [Box(*(v >> level for v in (hole.x, hole.y, hole.width, hole.height)))] for level in broken}
        pixels, gaps = GapReader(Holed(image, holes, levels=3), 2, 0.0).read(Box(0, 0, 256, 256))
        assert gaps is None
        difference = np.abs(pixels.astype(int) - whole_slide.images[2])
        assert difference.max() <= 1


def test_more_than_the_share_cannot_be_decoded_is_told_with_the_first_place(picture: Make) -> None:
    holes = {0: [Box(130, 0, 1, 1), Box(400, 400, 1, 1)]}
    share = SMALLEST_PX**2 / 512**2
    slide = Holed(picture(512, 512), holes)
    with pytest.raises(
        RegionError, match=r"share=0\.0234375 allows; the first place: level 0 cannot be decoded at x=128 y=0"
    ):
        GapReader(slide, 0, 1.5 * share).read(Box(0, 0, 512, 512))
    _, gaps = GapReader(slide, 0, 2 * share).read(Box(0, 0, 512, 512))
    assert gaps is not None
    assert gaps.mean() == 2 * share


def test_gaps_take_the_colour_of_the_nearest_pixel() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, 3:] = 200
    gaps = np.zeros((4, 6), np.bool_)
    gaps[:, 1:5] = True
    image[gaps] = 77
    assert closed(image, gaps)[0, :, 0].tolist() == [0, 0, 0, 200, 200, 200]


def test_a_thumbnail_marks_what_no_level_shows_and_equals_the_sound_one_elsewhere(picture: Make) -> None:
    image = picture(1000, 1400)
    hole = Box(580, 520, 40, 40)
    sound_one = read_thumbnail(Holed(image, {}), 350)
    holed = read_thumbnail(Holed(image, {0: [hole]}), 350)

    assert sound_one.unreadable is None
    assert holed.unreadable is not None
    assert holed.unreadable[130:140, 145:155].all()
    assert holed.unreadable.mean() < 0.01
    near = under([Box(145, 130, 10, 10)], (250, 350), SMALLEST_PX // 4 + 2)
    np.testing.assert_array_equal(holed.image[~near], sound_one.image[~near])


def test_a_thumbnail_of_a_slide_of_which_too_much_is_lost_is_refused(picture: Make) -> None:
    with pytest.raises(RegionError, match="cannot be decoded at x="):
        read_thumbnail(Holed(picture(1000, 1400), {0: [Box(0, 0, 1400, 50)]}), 350)


def test_a_slide_of_which_nothing_can_be_decoded_is_refused_whatever_the_share(picture: Make) -> None:
    with pytest.raises(RegionError, match="cannot be decoded at x=0 y=0"):
        read_thumbnail(Holed(picture(100, 140), {0: [Box(0, 0, 140, 100)]}), 350, 1.0)


def test_a_place_of_the_border_that_cannot_be_decoded_leaves_the_background_to_the_others() -> None:
    dark = Holed(np.full((300, 300, 3), 6, np.uint8), {0: [Box(0, 0, 10, 10)]})
    assert dark.background == (0, 0, 0)
    assert Holed(dark.images[0], {0: [Box(0, 0, 300, 300)]}).background == (255, 255, 255)
