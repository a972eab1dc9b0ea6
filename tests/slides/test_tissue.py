from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import SlideError, UserError
from wsi_scale.slides import Level, Slide, Thumbnail, open_slide, read_mask_image, read_thumbnail, tissue_mask
from wsi_scale.slides.slide import BLACK

Make = Callable[..., Any]
Picture = NDArray[np.uint8]


def test_without_a_method_everything_is_tissue() -> None:
    image = np.full((20, 30, 3), 255, np.uint8)
    assert tissue_mask(Thumbnail(image, 1, 1), "none").all()


def test_a_thumbnail_has_a_fixed_size_whatever_the_levels(picture: Make, write_pyramid: Make) -> None:
    image = picture(640, 960)
    images = []
    for levels in (1, 4):
        with open_slide(write_pyramid(image, levels=levels, name=f"{levels}.tif")) as slide:
            thumbnail = read_thumbnail(slide, 200)
        assert thumbnail.image.shape == (133, 200, 3)
        assert thumbnail.downsample_x == 4.8
        assert thumbnail.downsample_y == pytest.approx(640 / 133)
        images.append(thumbnail.image.astype(float))
    assert np.abs(images[0] - images[1]).mean() < 3


def test_a_thumbnail_is_the_mean_of_its_pixels(picture: Make, write_pyramid: Make) -> None:
    image = picture(640, 960)
    with open_slide(write_pyramid(image, levels=1)) as slide:
        thumbnail = read_thumbnail(slide, 96)
    means = image.reshape(64, 10, 96, 10, 3).mean(axis=(1, 3))
    assert np.abs(thumbnail.image - means).max() <= 1


def test_a_small_slide_is_not_enlarged(picture: Make, write_pyramid: Make) -> None:
    image = picture(80, 120)
    with open_slide(write_pyramid(image, levels=1)) as slide:
        np.testing.assert_array_equal(read_thumbnail(slide).image, image)


class Endless(Slide):
    """A level of any size, one colour, that notes how much is read at once."""

    def __init__(self, side: int) -> None:
        super().__init__(Path("endless.tif"), "none", (Level(side, side, 1.0),), {})
        self.largest = 0

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        self.largest = max(self.largest, width * height)
        return np.full((height, width, 3), 200, np.uint8)

    def close(self) -> None: ...


def test_a_large_level_is_read_in_blocks() -> None:
    slide = Endless(9_000)
    assert (read_thumbnail(slide, 512).image == 200).all()
    assert slide.largest < 10_000_000


def test_a_level_too_large_for_a_thumbnail_is_refused() -> None:
    with pytest.raises(SlideError, match="pyramidal TIFF"):
        read_thumbnail(Endless(4_000_000))


def test_a_users_mask_is_fitted_to_the_thumbnail(tmp_path: Path) -> None:
    thumbnail = Thumbnail(np.zeros((100, 200, 3), np.uint8), 10.0, 10.0)
    drawn = np.zeros((50, 100), np.uint8)
    drawn[:25, :50] = 1
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    mask = read_mask_image(tmp_path / "mask.png", thumbnail)
    assert mask.shape == (100, 200)
    assert mask[:50, :100].all()
    assert mask.sum() == 5000


def test_a_mask_of_another_shape_or_no_image_is_refused(tmp_path: Path) -> None:
    thumbnail = Thumbnail(np.zeros((100, 200, 3), np.uint8), 10.0, 10.0)
    Image.new("L", (100, 52)).save(tmp_path / "mask.png")
    (tmp_path / "text.png").write_text("hello")
    for name, message in (
        ("mask.png", "shape"),
        ("text.png", "cannot be read"),
        ("none.png", "cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            read_mask_image(tmp_path / name, thumbnail)


def test_strips_and_tiles_give_the_same_thumbnail(tmp_path: Path, picture: Make) -> None:
    image = picture(700, 500)
    tifffile.imwrite(tmp_path / "strips.tif", image, rowsperstrip=3, compression="lzw")
    tifffile.imwrite(tmp_path / "tiles.tif", image, tile=(64, 64), photometric="rgb")
    pictures = []
    for name in ("strips.tif", "tiles.tif"):
        with open_slide(tmp_path / name) as slide:
            pictures.append(read_thumbnail(slide, 128).image)
    np.testing.assert_array_equal(pictures[0], pictures[1])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("CMU-1-Small-Region.svs", 0.35, 0.45),
        ("bs11-he_overview-8um.tif", 0.1, 0.25),
        ("camelyon-overview_dicom", 0.25, 0.4),
        ("kidney-48-5.tif", 0.001, 0.01),
        ("panimg-valid_1000umpp.tif", 0, 0),
        ("skin-he_no-mpp.tif", 0.95, 1),
        ("test3-DAPI-2-387.ndpi", 0.5, 0.85),
        ("trypsin-ihc.ome.tif", 0.9, 1),
        ("her2-cish_pyramid.tif", 0.7, 0.85),
    ],
)
def test_masks_of_real_slides_have_the_size_that_was_looked_at(
    data_root: Path, name: str, least: float, most: float
) -> None:
    with open_slide(data_root / "slides" / name) as slide:
        thumbnail = read_thumbnail(slide)
    assert least <= tissue_mask(thumbnail, "auto").mean() <= most


@pytest.mark.data
def test_the_background_of_real_fluorescence_is_black(data_root: Path) -> None:
    with open_slide(data_root / "slides" / "test3-DAPI-2-387.ndpi") as slide:
        assert slide.background == BLACK
