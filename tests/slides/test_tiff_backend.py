"""Strips and tiles of every layout become the pixels that were written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from tests.reading import whole
from wsi_scale.slides import open_slide, tiff_backend
from wsi_scale.slides.tiff_backend import SegmentCache, TiffSlide

Make = Callable[..., Any]


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg"])
@pytest.mark.parametrize("rows", [7, 300])
def test_strips_are_read(tmp_path: Path, picture: Make, compression: str | None, rows: int) -> None:
    image = picture(300, 200)
    path = tmp_path / "strips.tif"
    if compression == "jpeg":
        rows = 8 * (rows // 8 + 1)
    tifffile.imwrite(path, image, rowsperstrip=rows, compression=compression, photometric="rgb")
    with open_slide(path) as slide:
        part = slide.read(0, 33, 41, 120, 77).astype(int)
    assert np.abs(part - image[41:118, 33:153]).mean() <= (5 if compression == "jpeg" else 0)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_planes_apart_or_together_give_the_same_pixels(tmp_path: Path, picture: Make, planar: str) -> None:
    image = picture(128, 160)
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    path = tmp_path / "planes.ome.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, tile=(64, 64), compression="zlib")
    np.testing.assert_array_equal(whole(path), image)


def test_grey_becomes_rgb(tmp_path: Path, picture: Make) -> None:
    grey = picture(90, 70)[..., 0]
    for name, photometric, expected in (("a.tif", "minisblack", grey), ("b.tif", "miniswhite", 255 - grey)):
        tifffile.imwrite(tmp_path / name, grey, photometric=photometric)
        np.testing.assert_array_equal(whole(tmp_path / name), np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("tiled", [True, False])
def test_sixteen_bits_are_scaled_by_the_bits_in_use(tmp_path: Path, picture: Make, bits: int, tiled: bool) -> None:
    image = picture(130, 100).astype(np.uint16)
    deep = (image << (bits - 8)) + 1
    deep[0, 0] = (1 << bits) - 1
    layout: dict[str, Any] = {"tile": (64, 64)} if tiled else {"compression": "lzw"}
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", **layout)
    image[0, 0] = 255
    np.testing.assert_array_equal(whole(tmp_path / "deep.tif"), image)


def test_bits_in_use_are_told_by_a_finer_level_where_the_coarsest_is_damaged(tmp_path: Path, picture: Make) -> None:
    image = picture(512, 512)
    path = tmp_path / "deep.tif"
    with tifffile.TiffWriter(path) as file:
        for level in range(3):
            deep = image[:: 1 << level, :: 1 << level].astype(np.uint16) << 4
            file.write(deep, tile=(64, 64), photometric="rgb", compression="zlib", subfiletype=min(level, 1))
    with tifffile.TiffFile(path) as file:
        stored = list(zip(file.pages[2].dataoffsets, file.pages[2].databytecounts, strict=True))
    with path.open("r+b") as bytes_of_file:
        for offset, count in stored:
            bytes_of_file.seek(offset)
            bytes_of_file.write(b"\xff" * count)

    np.testing.assert_array_equal(whole(path), image)


@pytest.mark.parametrize("options", [{"tile": (64, 64)}, {"rowsperstrip": 16}], ids=["tiles", "strips"])
def test_what_the_file_leaves_out_is_transparent(tmp_path: Path, picture: Make, options: dict[str, Any]) -> None:
    image = picture(128, 128)
    path = tmp_path / "sparse.ome.tif"
    tifffile.imwrite(path, image, photometric="rgb", compression="zstd", **options)  # which OpenSlide does not know
    with tifffile.TiffFile(path, mode="r+b") as file:
        page = file.pages.first
        rows, columns = (64, 64) if page.is_tiled else (16, 128)
        name = "TileByteCounts" if page.is_tiled else "StripByteCounts"
        page.tags[name].overwrite([0, *page.databytecounts[1:]])

    with open_slide(path) as slide:
        assert isinstance(slide, TiffSlide)
        pixels, alpha = slide.read(0, 0, 0, 128, 128), slide.read_alpha(0, 0, 0, 128, 128)

    held = np.ones((128, 128), bool)
    held[:rows, :columns] = False
    assert alpha is not None
    np.testing.assert_array_equal(alpha == 255, held)
    assert (alpha[~held] == 0).all()
    np.testing.assert_array_equal(pixels[held], image[held])
    assert (pixels[~held] == 255).all()


def test_alpha_that_colours_were_multiplied_by_is_divided_out(tmp_path: Path) -> None:
    straight = np.full((64, 64, 4), (200, 100, 40, 128), np.uint8)
    multiplied = straight.copy()
    multiplied[..., :3] = np.round(straight[..., :3] * (128 / 255))
    read = []
    for name, stored, extra in (("s.tif", straight, "unassalpha"), ("m.tif", multiplied, "assocalpha")):
        tifffile.imwrite(tmp_path / name, stored, photometric="rgb", extrasamples=[extra])
        read.append(whole(tmp_path / name).astype(int))
    assert np.abs(read[0] - read[1]).max() <= 1
    assert np.abs(read[0][0, 0] - (np.array([200, 100, 40]) * 128 + 255 * 127) / 255).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deep", [False, True])
def test_the_order_of_bytes_plays_no_part(tmp_path: Path, picture: Make, order: str, deep: bool) -> None:
    image = picture(70, 90)
    stored = image.astype(np.uint16) * 257 if deep else image
    tifffile.imwrite(tmp_path / "o.tif", stored, photometric="rgb", byteorder=order)
    np.testing.assert_array_equal(whole(tmp_path / "o.tif"), image)


def segment(number: int) -> NDArray[np.uint8]:
    return np.full((10, 10, 1), number, np.uint8)


def test_the_segments_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_backend, "CACHE_BYTES", 300)
    cache = SegmentCache()
    for number in range(3):
        cache.put((0, number), segment(number))
    assert cache.get((0, 0)) is not None
    cache.put((0, 3), segment(3))
    kept = [number for number in range(4) if cache.get((0, number)) is not None]
    assert kept == [0, 2, 3]
    cache.clear()
    assert cache.get((0, 3)) is None


def test_a_segment_larger_than_the_cache_is_kept_until_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_backend, "CACHE_BYTES", 50)
    cache = SegmentCache()
    cache.put((0, 0), segment(0))
    assert cache.get((0, 0)) is not None
    cache.put((1, 0), segment(1))
    assert cache.get((0, 0)) is None
    assert cache.get((1, 0)) is not None
