"""A place that cannot be decoded is told, and every other place is read as before."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.damaged import Wound, damage, strewn, wiped
from wsi_scale.errors import RegionError
from wsi_scale.slides import open_slide

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
