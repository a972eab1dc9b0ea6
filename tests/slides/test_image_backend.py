"""PNG and JPEG images are slides of one level, decoded once."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.reading import reason, whole
from wsi_scale.errors import SlideError
from wsi_scale.slides import open_slide
from wsi_scale.slides.image_backend import MAX_IMAGE_VARIABLE, PNG_MAGIC

Make = Callable[..., Any]


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


def test_a_png_that_claims_four_million_pixels_is_refused(tmp_path: Path, picture: Make) -> None:
    Image.fromarray(picture(20, 20)).save(tmp_path / "claims.png")
    content = bytearray((tmp_path / "claims.png").read_bytes())
    struct.pack_into(">II", content, 16, 4_000_000, 4_000_000)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    (tmp_path / "claims.png").write_bytes(content)
    assert "4000000x4000000" in reason(tmp_path / "claims.png")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0" + bytes(50_000_000 // 50)),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 << 20))),
        chunk(b"tEXt", b"no end"),
        chunk(b"iCCP", b"broken")[:-4] + b"\0\0\0\0",
    ],
    ids=["long text", "text that unpacks to 80 MiB", "text without a key", "colour profile with a wrong checksum"],
)
def test_what_a_png_says_beside_its_pixels_is_passed_over(tmp_path: Path, picture: Make, extra: bytes) -> None:
    image = picture(60, 80)
    Image.fromarray(image).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    first = content.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(content[:first] + extra + content[first:])
    np.testing.assert_array_equal(whole(tmp_path / "a.png"), image)


def test_transparent_palettes_are_kept(tmp_path: Path) -> None:
    indices = np.zeros((20, 30), np.uint8)
    indices[:, 15:] = 1
    image = Image.fromarray(indices)
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.save(tmp_path / "a.png", transparency=0)
    with open_slide(tmp_path / "a.png") as slide:
        alpha = slide.read_alpha(0, 0, 0, 30, 20)
        pixels = slide.read(0, 0, 0, 30, 20)
    assert alpha is not None
    np.testing.assert_array_equal(alpha, np.where(indices, 255, 0))
    assert pixels[0, 20].tolist() == [10, 20, 30]


def test_deep_greys_are_scaled_by_the_bits_in_use(tmp_path: Path) -> None:
    deep = np.arange(0, 4096, 2, np.uint16).reshape(32, 64)
    Image.fromarray(deep).save(tmp_path / "a.png")
    np.testing.assert_array_equal(whole(tmp_path / "a.png"), np.repeat((deep >> 4)[..., None], 3, axis=2))


def test_how_large_an_image_may_be_is_the_environments_to_say(
    tmp_path: Path, picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(picture(100, 100)).save(tmp_path / "a.png")
    monkeypatch.setenv(MAX_IMAGE_VARIABLE, "0.009")
    assert "more than the 0.009 megapixels" in reason(tmp_path / "a.png")
    monkeypatch.setenv(MAX_IMAGE_VARIABLE, "0.01")
    assert whole(tmp_path / "a.png").shape == (100, 100, 3)


def test_a_limit_that_is_no_number_is_told(tmp_path: Path, picture: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(picture(10, 10)).save(tmp_path / "a.png")
    monkeypatch.setenv(MAX_IMAGE_VARIABLE, "many")
    with pytest.raises(SlideError, match="WSI_SCALE_MAX_IMAGE_MPX=many"):
        whole(tmp_path / "a.png")


def test_a_suffix_says_nothing_of_the_format(tmp_path: Path, picture: Make) -> None:
    image = picture(30, 40)
    Image.fromarray(image).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes().startswith(PNG_MAGIC)
    with open_slide(tmp_path / "a.jpg") as slide:
        assert slide.vendor == "png"
        np.testing.assert_array_equal(slide.read(0, 0, 0, 40, 30), image)
