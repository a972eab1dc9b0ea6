from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from wsi_scale.synthesis.pyramid import halve, write_pyramid


def smooth_picture(rows: int = 1201, columns: int = 1600) -> np.ndarray:
    y, x = np.ogrid[0:rows, 0:columns]
    planes = [120 + 80 * np.sin(x / (90 + 20 * index) + y / 140) for index in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("mpp", [0.25, 0.35, 0.5])
def test_openslide_reads_the_mpp_and_halved_levels(tmp_path: Path, mpp: float) -> None:
    write_pyramid(tmp_path / "a.tiff", smooth_picture(), mpp)

    with openslide.OpenSlide(tmp_path / "a.tiff") as slide:
        assert slide.properties[openslide.PROPERTY_NAME_VENDOR] == "generic-tiff"
        for name in (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y):
            assert float(slide.properties[name]) == pytest.approx(mpp, rel=1e-5)
        assert slide.level_dimensions == ((1600, 1201), (800, 600), (400, 300))
        assert slide.level_downsamples == pytest.approx((1, 2, 4), rel=2e-3)


def test_openslide_reads_the_pixels_that_were_written(tmp_path: Path) -> None:
    picture = smooth_picture()
    write_pyramid(tmp_path / "a.tiff", picture, 0.25)

    with openslide.OpenSlide(tmp_path / "a.tiff") as slide:
        read = np.asarray(slide.read_region((200, 100), 0, (300, 200)))[..., :3]

    assert np.abs(read.astype(int) - picture[100:300, 200:500]).mean() < 2.5


def test_the_header_can_claim_another_mpp(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "a.tiff", smooth_picture(), 0.25, header_mpp=0.5)

    with openslide.OpenSlide(tmp_path / "a.tiff") as slide:
        assert float(slide.properties[openslide.PROPERTY_NAME_MPP_X]) == pytest.approx(0.5)


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.tiff", "b.tiff"):
        write_pyramid(tmp_path / name, smooth_picture(), 0.25)

    assert (tmp_path / "a.tiff").read_bytes() == (tmp_path / "b.tiff").read_bytes()


def test_every_level_has_resolution_tags_of_its_own(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "a.tiff", smooth_picture(1024, 1024), 0.25)

    with tifffile.TiffFile(tmp_path / "a.tiff") as tiff:
        per_cm = [page.aspage().tags["XResolution"].value for page in tiff.pages]

    assert [top / bottom for top, bottom in per_cm] == pytest.approx([40_000, 20_000, 10_000])


def test_a_failed_write_leaves_nothing_and_keeps_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(b"older")

    with pytest.raises((ValueError, RuntimeError, TypeError)):
        write_pyramid(path, smooth_picture().astype(np.float64), 0.25)

    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tiff"]
    assert path.read_bytes() == b"older"


def test_halving_averages_blocks_and_leaves_an_odd_rest() -> None:
    picture = np.array([[[0], [4], [9]], [[2], [6], [9]], [[9], [9], [9]]], np.uint8)

    np.testing.assert_array_equal(halve(picture), [[[3]]])


def test_a_lower_quality_takes_fewer_bytes(tmp_path: Path) -> None:
    for quality in (40, 90):
        write_pyramid(tmp_path / f"{quality}.tiff", smooth_picture(), 0.25, quality=quality)

    assert (tmp_path / "40.tiff").stat().st_size < 0.8 * (tmp_path / "90.tiff").stat().st_size
