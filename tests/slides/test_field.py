from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.slides import Field, Slide, open_slide, padded_share, read_field
from wsi_scale.slides.field import FieldPlan, choose_level, resample
from wsi_scale.slides.slide import level_scale

Make = Callable[..., Any]


@pytest.fixture(params=["p.tif", "p.ome.tif"])
def slide(picture: Make, write_pyramid: Make, request: pytest.FixtureRequest) -> Iterator[Slide]:
    """A pyramid whose sizes do not divide, read by OpenSlide or by tifffile."""
    with open_slide(write_pyramid(picture(509, 613), levels=4, name=request.param)) as opened:
        yield opened


@lru_cache(maxsize=1)
def everything(slide: Slide) -> Image.Image:
    """Level 0, read once for all fields of a slide."""
    return Image.fromarray(slide.read(0, 0, 0, slide.width, slide.height))


def filtered(slide: Slide, field: Field, size: int) -> NDArray[np.uint8]:
    """Level 0 resampled in one go: what a field should be."""
    box = (field.x, field.y, field.x + field.width, field.y + field.height)
    return np.asarray(everything(slide).resize((size, size), Image.Resampling.BILINEAR, box=box))


def test_a_field_at_level_0_is_the_slide_itself(slide: Slide) -> None:
    pixels = read_field(slide, Field(40, 50, 64, 32), (64, 32))
    np.testing.assert_array_equal(pixels, slide.read(0, 40, 50, 64, 32))


@pytest.mark.parametrize("downsample", [0.7, 1.0, 1.3, 1.99])
def test_a_field_from_level_0_is_filtered_exactly(slide: Slide, downsample: float) -> None:
    field = Field(101.3, 77.7, 128 * downsample, 128 * downsample)
    difference = read_field(slide, field, (128, 128)).astype(int) - filtered(slide, field, 128)
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("downsample", [2.0, 2.7, 4.0, 6.5])
def test_a_field_from_a_coarser_level_is_close_and_not_shifted(slide: Slide, downsample: float) -> None:
    size = int(400 / downsample)
    for x, y in ((3.4, 8.9), (slide.width - size * downsample - 0.5, slide.height - size * downsample - 0.5)):
        field = Field(x, y, size * downsample, size * downsample)
        assert choose_level(slide, downsample) > 0
        pixels, expected = read_field(slide, field, (size, size)).astype(float), filtered(slide, field, size)
        assert np.abs(pixels - expected).mean() < 6
        assert abs((pixels - expected).mean()) < 0.5


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_pixels_in_place_are_what_the_filter_gives(shift: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    plan = FieldPlan(0, (20, 10), (107.0 + shift, 206.0, 127.0 + shift, 216.0), (105, 203, 130, 219))
    cut = Image.fromarray(pixels[3:19, 5:30])
    expected = cut.resize(plan.size, Image.Resampling.BILINEAR, box=plan.box_in_region)
    np.testing.assert_array_equal(resample(pixels, (100, 200), plan), np.asarray(expected))


def test_levels_are_the_coarsest_that_are_fine_enough(slide: Slide) -> None:
    assert [choose_level(slide, wanted) for wanted in (0.5, 1, 1.99, 2, 3.9, 4, 7.99, 8, 50)] == [
        0, 0, 0, 1, 1, 2, 2, 3, 3,
    ]  # fmt: skip
    assert [level_scale(slide, level) for level in range(4)] == [(1, 1), (2, 2), (4, 4), (8, 8)]


def test_outside_the_slide_lies_the_background(slide: Slide) -> None:
    slide.background = (10, 200, 30)
    assert (read_field(slide, Field(-500, -500, 100, 100), (50, 50)) == (10, 200, 30)).all()
    half = read_field(slide, Field(-100, 100, 200, 200), (200, 200))
    assert (half[:, :99] == (10, 200, 30)).all()
    np.testing.assert_array_equal(half[:, 101:], slide.read(0, 1, 100, 99, 200))


def test_padded_share_is_the_area_outside(slide: Slide) -> None:
    assert padded_share(slide, Field(0, 0, slide.width, slide.height)) == 0
    assert padded_share(slide, Field(-50, -50, 100, 100)) == 0.75
    assert padded_share(slide, Field(-50, 700, 10, 10)) == 1


@pytest.fixture(scope="module")
def real_pyramid(data_root: Path) -> Iterator[Slide]:
    with open_slide(data_root / "slides" / "her2-cish_pyramid.tif") as opened:
        yield opened


@pytest.mark.data
@pytest.mark.parametrize("mpp", [0.2528, 0.4, 0.5056, 0.7, 1.0, 1.5, 2.3])
def test_a_field_of_a_real_pyramid_is_within_the_stated_tolerance(real_pyramid: Slide, mpp: float) -> None:
    side = 96 * mpp / 0.2528
    for x, y in ((1000.25, 1500.5), (2500.7, 600.1), (4096 - side, 2000)):
        field = Field(x, y, side, side)
        expected = filtered(real_pyramid, field, 96).astype(float)
        difference = np.abs(read_field(real_pyramid, field, (96, 96)) - expected)
        assert difference.mean() <= 6
        assert np.percentile(difference, 99) <= 24


@pytest.mark.data
def test_positions_agree_between_levels_of_a_real_slide(data_root: Path) -> None:
    from skimage.registration import phase_cross_correlation

    with open_slide(data_root / "slides" / "bs11-he_overview-8um.tif") as slide:
        field = Field(slide.width - 1024, slide.height - 1024, 1024, 1024)
        for size in (512, 256, 128):
            grey = read_field(slide, field, (size, size)).mean(axis=2)
            reference = filtered(slide, field, size).mean(axis=2)
            found = phase_cross_correlation(reference, grey, upsample_factor=20)  # type: ignore[no-untyped-call]
            shift = found[0]
            assert np.abs(shift).max() <= 0.15
