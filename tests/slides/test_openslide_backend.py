"""OpenSlide's pixels, the same from whichever corner and thread they are asked for."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest

from wsi_scale.errors import RegionError
from wsi_scale.slides import open_slide

Make = Callable[..., Any]


@pytest.mark.parametrize("name", ["p.tif", "p.ome.tif"])
def test_any_box_equals_a_cut_of_the_whole_level(picture: Make, write_pyramid: Make, name: str) -> None:
    # 333 and 501 do not divide by 2 and 4: OpenSlide's downsample of these levels is no whole number.
    with open_slide(write_pyramid(picture(333, 501), name=name)) as slide:
        random = np.random.default_rng(0)
        for index, level in enumerate(slide.levels):
            everything = slide.read(index, 0, 0, level.width, level.height)
            for _ in range(20):
                x, y = random.integers(level.width), random.integers(level.height)
                width, height = (
                    random.integers(1, level.width - x + 1),
                    random.integers(1, level.height - y + 1),
                )
                part = slide.read(index, int(x), int(y), int(width), int(height))
                np.testing.assert_array_equal(part, everything[y : y + height, x : x + width])


@pytest.mark.parametrize("name", ["t.tif", "t.ome.tif"])
def test_threads_read_the_same_as_one(picture: Make, write_pyramid: Make, name: str) -> None:
    image = picture(512, 512)
    with open_slide(write_pyramid(image, name=name, compression="zlib")) as slide:
        barrier = threading.Barrier(8)

        def wrong(seed: int) -> int:
            places = np.random.default_rng(seed).integers(0, 400, (30, 2)).tolist()
            barrier.wait()
            return sum(
                not np.array_equal(slide.read(0, x, y, 100, 100), image[y : y + 100, x : x + 100]) for x, y in places
            )

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(wrong, range(8))) == [0] * 8


def test_a_closed_slide_is_an_error(picture: Make, write_pyramid: Make) -> None:
    slide = open_slide(write_pyramid(picture(512, 512), name="c.tif"))
    slide.read(0, 0, 0, 100, 100)
    slide.close()
    with pytest.raises(RegionError, match="closed slide"):
        slide.read(0, 0, 0, 100, 100)


@pytest.mark.data
@pytest.mark.parametrize("name", ["her2-cish_pyramid.tif", "CMU-1-Small-Region.svs", "test3-DAPI-2-387.ndpi"])
def test_pixels_equal_plain_openslide(data_root: Path, name: str) -> None:
    path = data_root / "slides" / name
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as plain:
        expected = np.asarray(plain.read_region((700, 900), 0, (300, 200)))[..., :3]
        np.testing.assert_array_equal(slide.read(0, 700, 900, 300, 200), expected)
