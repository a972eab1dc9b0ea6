"""Which library reads a TIFF is decided by what the file holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from wsi_scale.errors import SlideError
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


def which(path: Path) -> type:
    with open_slide(path) as slide:
        return type(slide)


@pytest.mark.parametrize(
    ("options", "reader"),
    [
        ({"tile": (64, 64), "compression": "jpeg"}, OpenSlideSlide),
        ({"tile": (64, 64), "compression": "lzw"}, OpenSlideSlide),
        ({"tile": (64, 64), "compression": "zstd"}, TiffSlide),
        ({"compression": "zlib"}, TiffSlide),
    ],
    ids=["jpeg", "lzw", "zstd", "strips"],
)
def test_what_openslide_decodes_it_reads(tmp_path: Path, picture: Make, options: dict[str, Any], reader: type) -> None:
    tifffile.imwrite(tmp_path / "t.tif", picture(128, 128), photometric="rgb", **options)
    assert which(tmp_path / "t.tif") is reader


def test_sixteen_bits_are_read_by_tifffile(tmp_path: Path, picture: Make) -> None:
    deep = picture(128, 128).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "t.tif", deep, photometric="rgb", tile=(64, 64))
    assert which(tmp_path / "t.tif") is TiffSlide


@pytest.mark.parametrize("suffix", ["svs", "ndpi", "mrxs", "txt", ""])
def test_the_name_of_the_file_plays_no_part(picture: Make, write_pyramid: Make, suffix: str) -> None:
    path = write_pyramid(picture(200, 200))
    named = path.rename(path.with_name(f"scan.{suffix}" if suffix else "scan"))
    with open_slide(named) as slide:
        assert (type(slide), len(slide.levels)) == (OpenSlideSlide, 3)


def test_of_several_sections_the_largest_is_read_and_the_others_are_told(tmp_path: Path, picture: Make) -> None:
    path = tmp_path / "three.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, (height, width) in enumerate([(240, 250), (256, 256), (250, 240)]):
            writer.write(picture(height, width, number), tile=(64, 64), photometric="rgb")
    with open_slide(path) as slide:
        assert (slide.width, slide.height) == (256, 256)
        np.testing.assert_array_equal(slide.read(0, 0, 0, 256, 256), picture(256, 256, 1))
        (warning,) = slide.warnings
    assert warning.startswith("the file holds 3 images; the largest is read, 256x256 px;")
    assert "250x240 px" in warning
    assert "240x250 px" in warning


def test_a_pyramid_whose_larger_image_openslide_does_not_show_is_read_whole(tmp_path: Path, picture: Make) -> None:
    path = tmp_path / "strips-first.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(picture(64, 64), photometric="rgb", tile=(64, 64))
        writer.write(picture(512, 512), photometric="rgb", rowsperstrip=16)
    with open_slide(path) as slide:
        assert (slide.width, slide.height) == (512, 512)
        np.testing.assert_array_equal(slide.read(0, 0, 0, 512, 512), picture(512, 512))


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_what_neither_reads_is_one_line(picture: Make, write_pyramid: Make, kept: float) -> None:
    path = write_pyramid(picture(300, 300), compression="jpeg")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(SlideError) as told:
        which(path)
    assert "\n" not in str(told.value)
