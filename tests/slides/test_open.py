import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import SlideError
from wsi_scale.slides import open_slide
from wsi_scale.slides.openslide_backend import OpenSlideSlide
from wsi_scale.slides.tiff_backend import TiffSlide

Make = Callable[..., Any]


def reason(path: Path) -> str:
    with pytest.raises(SlideError) as caught, open_slide(path) as slide:
        slide.read(0, 0, 0, slide.width, slide.height)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def whole(path: Path, level: int = 0) -> NDArray[np.uint8]:
    with open_slide(path) as slide:
        return slide.read(level, 0, 0, slide.levels[level].width, slide.levels[level].height)


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


def test_alpha_is_laid_on_the_background(tmp_path: Path) -> None:
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:32, :, :3], rgba[:32, :, 3] = (200, 100, 50), 255
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        pixels = whole(tmp_path / name)
        assert pixels[0, 0].tolist() == [200, 100, 50]
        assert pixels[-1, 0].tolist() == [255, 255, 255]


def test_images_are_slides_of_one_level(tmp_path: Path, picture: Make) -> None:
    image = Image.fromarray(picture(60, 80))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif, dpi=(72, 72), quality=95)
    image.convert("L").save(tmp_path / "grey.png")
    image.convert("P").save(tmp_path / "palette.png")
    Image.fromarray(np.full((60, 80), 4095, np.uint16)).save(tmp_path / "deep.png")
    for name in ("turned.jpg", "grey.png", "palette.png", "deep.png"):
        with open_slide(tmp_path / name) as slide:
            assert (slide.width, slide.height, len(slide.levels)) == (80, 60, 1)
    assert whole(tmp_path / "deep.png").min() == 255


def test_what_is_neither_grey_nor_rgb_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.ome.tif", np.zeros((3, 40, 50), np.int8), metadata={"axes": "CYX"})
    tifffile.imwrite(
        tmp_path / "tiled.ome.tif", np.zeros((4, 64, 64), np.uint8), tile=(16, 16), metadata={"axes": "CYX"}
    )
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((40, 50), np.float32))
    Image.new("CMYK", (10, 10)).save(tmp_path / "k.jpg")
    assert "C=3" in reason(tmp_path / "c.ome.tif")
    assert "C=4" in reason(tmp_path / "tiled.ome.tif")
    assert "float32" in reason(tmp_path / "f.tif")
    assert "CMYK" in reason(tmp_path / "k.jpg")


def test_a_text_file_named_svs_is_no_slide(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("hello")
    (tmp_path / "empty.svs").touch()
    (tmp_path / "folder.svs").mkdir()
    assert "no slide" in reason(tmp_path / "text.svs")
    assert "no slide" in reason(tmp_path / "empty.svs")
    assert "DICOM" in reason(tmp_path / "folder.svs")
    assert "No such file" in reason(tmp_path / "none.svs")


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "strips.tif", "a.png", "a.jpg"])
def test_a_truncated_file_says_so(tmp_path: Path, picture: Make, write_pyramid: Make, name: str, kept: float) -> None:
    image = picture(400, 400)
    if name.startswith("strips"):
        tifffile.imwrite(tmp_path / name, image, compression="zlib")
    elif name.endswith(".tif"):
        write_pyramid(image, name=name, compression="zlib")
    else:
        Image.fromarray(image).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * kept)])
    reason(tmp_path / name)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("back_to", [0, 1])
def test_directories_in_a_loop_do_not_hang(picture: Make, write_pyramid: Make, bigtiff: bool, back_to: int) -> None:
    path = write_pyramid(picture(128, 128), levels=3, bigtiff=bigtiff)
    with tifffile.TiffFile(path) as file:
        offsets = [page.offset for page in file.pages]
    entry, head, code = (20, 8, "<Q") if bigtiff else (12, 2, "<I")
    content = bytearray(path.read_bytes())
    (count,) = struct.unpack_from("<Q" if bigtiff else "<H", content, offsets[2])
    struct.pack_into(code, content, offsets[2] + head + count * entry, offsets[back_to])
    path.write_bytes(content)
    assert "loop" in reason(path)


def test_sub_ifds_in_a_loop_do_not_hang(picture: Make, write_pyramid: Make) -> None:
    path = write_pyramid(picture(128, 128), levels=2, name="loop.ome.tif")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        tag = page.tags["SubIFDs"]
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, tag.valueoffset, page.offset)
    path.write_bytes(content)
    assert "loop" in reason(path)


@pytest.mark.parametrize("tile", [(64, 64), None])
def test_a_header_that_claims_four_million_pixels_is_refused(
    tmp_path: Path, picture: Make, tile: tuple[int, int] | None
) -> None:
    path = tmp_path / "claims.tif"
    tifffile.imwrite(path, picture(128, 128), tile=tile, photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages.first.tags[name].overwrite(4_000_000, dtype=4)
    assert "4000000x4000000" in reason(path)


def test_a_png_that_claims_four_million_pixels_is_refused(tmp_path: Path, picture: Make) -> None:
    Image.fromarray(picture(20, 20)).save(tmp_path / "claims.png")
    content = bytearray((tmp_path / "claims.png").read_bytes())
    struct.pack_into(">II", content, 16, 4_000_000, 4_000_000)
    import zlib

    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    (tmp_path / "claims.png").write_bytes(content)
    assert "4000000x4000000" in reason(tmp_path / "claims.png")


def test_paths_may_hold_any_character(tmp_path: Path, picture: Make) -> None:
    folder = tmp_path / "ein $(rm) 'Ordner' \"µ\" 切片"
    folder.mkdir()
    tifffile.imwrite(folder / "a;b & c.tif", picture(70, 70), tile=(64, 64), photometric="rgb")
    assert whole(folder / "a;b & c.tif").shape == (70, 70, 3)


def test_a_box_that_leaves_the_level_is_a_bug(picture: Make, write_pyramid: Make) -> None:
    with open_slide(write_pyramid(picture(128, 128))) as slide, pytest.raises(ValueError, match="leaves"):
        slide.read(0, 100, 0, 29, 10)


@pytest.mark.parametrize("name", ["p.tif", "p.ome.tif"])
def test_any_box_equals_a_cut_of_the_whole_level(picture: Make, write_pyramid: Make, name: str) -> None:
    # 333 and 501 do not divide by 2 and 4: OpenSlide's downsample of these levels is not a whole number.
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
    import pickle

    with (
        open_slide(write_pyramid(picture(64, 64), levels=1)) as slide,
        pytest.raises(TypeError, match="path"),
    ):
        pickle.dumps(slide)


@pytest.mark.data
def test_real_slides_open_or_say_why(data_root: Path) -> None:
    refused = {}
    for path in sorted((data_root / "slides").iterdir()):
        try:
            with open_slide(path) as slide:
                assert slide.read(len(slide.levels) - 1, 0, 0, 50, 50).shape == (50, 50, 3)
        except SlideError as error:
            refused[path.name] = str(error)
    assert sorted(refused) == ["multi-channel-fluo.ome.tif", "slides.tsv"]


@pytest.mark.data
@pytest.mark.parametrize("name", ["her2-cish_pyramid.tif", "CMU-1-Small-Region.svs", "test3-DAPI-2-387.ndpi"])
def test_pixels_equal_plain_openslide(data_root: Path, name: str) -> None:
    path = data_root / "slides" / name
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as plain:
        expected = np.asarray(plain.read_region((700, 900), 0, (300, 200)))[..., :3]
        np.testing.assert_array_equal(slide.read(0, 700, 900, 300, 200), expected)


@pytest.mark.data
def test_a_dicom_folder_is_one_slide(data_root: Path) -> None:
    folder = data_root / "slides" / "CMU-1-Small-Region_dicom"
    with open_slide(folder) as slide:
        assert (slide.width, slide.height, slide.vendor, slide.warnings) == (2220, 2967, "dicom", ())


@pytest.mark.data
def test_of_two_dicom_series_the_larger_is_read(data_root: Path, tmp_path: Path) -> None:
    for folder in ("CMU-1-Small-Region_dicom", "camelyon-overview_dicom"):
        for file in (data_root / "slides" / folder).iterdir():
            (tmp_path / file.name).symlink_to(file)
    with open_slide(tmp_path) as slide:
        assert (slide.width, slide.height) == (2220, 2967)
        assert "2 DICOM series" in slide.warnings[0]
