"""Which library reads a TIFF is decided by what the file holds."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wsi_scale.slides import open_slide
from wsi_scale.slides.openslide_backend import OpenSlideSlide
from wsi_scale.slides.tiff_backend import TiffSlide

Make = Callable[..., Any]


def test_a_tiled_pyramid_goes_to_openslide(picture: Make, write_pyramid: Make) -> None:
    image = picture(300, 200)
    path = write_pyramid(image)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert (slide.width, slide.height, len(slide.levels)) == (200, 300, 3)
        np.testing.assert_array_equal(slide.read(0, 10, 20, 90, 80), image[20:100, 10:100])


def test_an_ome_tiff_with_sub_ifds_shows_all_its_levels(picture: Make, write_pyramid: Make) -> None:
    image = picture(256, 320)
    with open_slide(write_pyramid(image, name="scan.ome.tif")) as slide:
        assert isinstance(slide, TiffSlide)
        assert [level.width for level in slide.levels] == [320, 160, 80]
        np.testing.assert_array_equal(slide.read(0, 100, 50, 200, 200), image[50:250, 100:300])
