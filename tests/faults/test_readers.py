"""What labs send: the right image and the right pixels come out, or one line says why not."""

import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from tests.runs import draw
from wsi_scale.errors import RegionError, SlideError
from wsi_scale.slides import open_slide

Picture = NDArray[np.uint8]

JPEG: dict[str, Any] = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 90}}
ZLIB: dict[str, Any] = {"photometric": "rgb", "compression": "zlib"}


@pytest.fixture(scope="module")
def tissue() -> Picture:
    return draw(3.0, 512, 512)


def half(image: NDArray[Any]) -> NDArray[Any]:
    parts = [image[row::2, column::2].astype(np.uint32) for row in (0, 1) for column in (0, 1)]
    return ((parts[0] + parts[1] + parts[2] + parts[3] + 2) // 4).astype(image.dtype)


def whole(path: Path, level: int = 0) -> Picture:
    with open_slide(path) as slide:
        return slide.read(level, 0, 0, slide.levels[level].width, slide.levels[level].height)


def sizes(path: Path) -> list[int]:
    with open_slide(path) as slide:
        return [level.width for level in slide.levels]


def reason(path: Path) -> str:
    with pytest.raises(SlideError) as caught, open_slide(path) as slide:
        slide.read(0, 0, 0, slide.width, slide.height)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def near(left: Picture, right: Picture) -> float:
    return float(np.abs(left.astype(int) - right).mean())


def pages(path: Path, images: Iterable[NDArray[Any]], **options: Any) -> Path:
    """Write tiled pages, all but the largest marked as reduced."""
    images = list(images)
    largest = max(image.size for image in images)
    with tifffile.TiffWriter(path) as writer:
        for image in images:
            writer.write(image, tile=(128, 128), metadata=None, subfiletype=int(image.size < largest), **options)
    return path


# --- Which image ---


@pytest.mark.parametrize("first", ["macro", "label"])
def test_a_macro_or_label_image_that_stands_first_is_not_the_slide(tmp_path: Path, tissue: Picture, first: str) -> None:
    path = tmp_path / "scan.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(tissue[:150, :200], metadata={"axes": "YXS", "Name": first}, **JPEG)
        writer.write(tissue, subifds=1, tile=(128, 128), metadata={"axes": "YXS", "Name": "scan"}, **JPEG)
        writer.write(half(tissue), subfiletype=1, tile=(128, 128), metadata=None, **JPEG)
    assert sizes(path) == [512, 256]
    assert near(whole(path), tissue) < 5


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_levels_may_stand_in_any_order(tmp_path: Path, tissue: Picture, order: tuple[int, ...]) -> None:
    levels = [tissue, half(tissue), half(half(tissue))]
    path = pages(tmp_path / "order.tif", [levels[number] for number in order], **ZLIB)
    assert sizes(path) == [512, 256, 128]
    np.testing.assert_array_equal(whole(path), tissue)


def test_a_preview_page_that_stands_first_is_not_the_slide(tmp_path: Path, tissue: Picture) -> None:
    with tifffile.TiffWriter(tmp_path / "p.tif") as writer:
        writer.write(half(half(tissue)), subfiletype=1, metadata=None, **JPEG)
        writer.write(tissue, tile=(128, 128), metadata=None, **ZLIB)
    np.testing.assert_array_equal(whole(tmp_path / "p.tif"), tissue)


@pytest.mark.parametrize("name", ["two.ome.tif", "two.tif"])
def test_of_two_sections_the_larger_is_read_with_a_warning(tmp_path: Path, tissue: Picture, name: str) -> None:
    ome = ".ome." in name
    with tifffile.TiffWriter(tmp_path / name, ome=ome) as writer:
        for number, image in enumerate((np.ascontiguousarray(tissue[::-1][:400, :300]), tissue), 1):
            metadata = {"axes": "YXS", "Name": f"section {number}"} if ome else None
            writer.write(image, tile=(128, 128), metadata=metadata, **ZLIB)
    with open_slide(tmp_path / name) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, 512, 512), tissue)
        (warning,) = slide.warnings
        assert "300x400 px" in warning
        assert ("'section 1'" in warning) == ome


@pytest.mark.parametrize("name", ["c.ome.tif", "c.tif"])
def test_channels_are_refused(tmp_path: Path, tissue: Picture, name: str) -> None:
    channels = np.ascontiguousarray(np.moveaxis(tissue, -1, 0))
    tifffile.imwrite(tmp_path / name, channels, photometric="minisblack", tile=(128, 128), ome=".ome." in name)
    assert "not a single grey or RGB image but uint8" in reason(tmp_path / name)


# --- What a file holds, not what it is called ---


@pytest.mark.parametrize("suffix", ["ndpi", "scn", "svs", "bif", "qptiff"])
def test_a_plain_pyramid_is_read_as_what_it_is(tmp_path: Path, tissue: Picture, suffix: str) -> None:
    path = pages(tmp_path / f"plain.{suffix}", [tissue, half(tissue)], **ZLIB)
    assert sizes(path) == [512, 256]
    np.testing.assert_array_equal(whole(path), tissue)


def write_ndpi(path: Path, image: Picture, start: int, *, sound: bool = True) -> Path:
    """Write Hamamatsu's classic TIFF with 64-bit offsets: their upper halves stand after the directory."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=95, subsampling=0)
    data = stream.getvalue()
    bits, make, directory = start + len(data), start + len(data) + 6, start + len(data) + 16
    height, width = image.shape[:2]
    known = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 7), (262, 3, 1, 6), (271, 2, 10, make),
        (273, 4, 1, start), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data)), (284, 3, 1, 1),
        (65420, 4, 1, 1), (65421, 11, 1, struct.unpack("<I", struct.pack("<f", 40.0))[0]), (65424, 9, 1, 0),
    ]  # fmt: skip
    tags = known if sound else known[:-1]  # OpenSlide does without no Z offset
    with path.open("wb") as file:
        file.write(b"II*\0" + struct.pack("<Q", directory))
        file.seek(start)
        file.write(data + struct.pack("<HHH", 8, 8, 8) + b"Hamamatsu\0" + struct.pack("<H", len(tags)))
        file.write(b"".join(struct.pack("<HHII", code, kind, n, value % 2**32) for code, kind, n, value in tags))
        file.write(bytes(8) + b"".join(struct.pack("<I", value >> 32) for *_, value in tags))
    return path


@pytest.mark.parametrize("start", [16, (1 << 32) + 4096], ids=["small", "beyond 4 GiB"])
@pytest.mark.parametrize("sound", [True, False], ids=["openslide", "tifffile"])
def test_ndpi_of_any_size_and_name_is_read(tmp_path: Path, tissue: Picture, start: int, sound: bool) -> None:
    for name in ("scan.ndpi", "scan.tif"):
        path = write_ndpi(tmp_path / name, tissue, start, sound=sound)
        assert near(whole(path), tissue) < 3
        path.unlink()


@pytest.mark.parametrize("codec", ["webp", "jpegxl", "jpeg2000", "lerc", "lzma", "jpegxr", "png", "zstd", "lzw"])
def test_every_codec_of_either_library_is_read(tmp_path: Path, tissue: Picture, codec: str) -> None:
    path = pages(tmp_path / "c.tif", [tissue, half(tissue)], photometric="rgb", compression=codec)
    assert sizes(path) == [512, 256]
    assert near(whole(path), tissue) < (0.01 if codec != "jpegxr" else 1)


@pytest.mark.parametrize("said", ["Färbung = HE".encode("latin-1"), "Färbung = HE".encode(), b"\xff\xfe = \x81"])
def test_a_vendor_s_words_may_have_any_encoding(tmp_path: Path, tissue: Picture, said: bytes) -> None:
    text = b"Aperio Format\r\n512x512 (128x128) JPEG/RGB Q=90|AppMag = 40|MPP = 0.25|" + said
    tifffile.imwrite(
        tmp_path / "a.svs", tissue, tile=(128, 128), metadata=None, software=None, description=text, **JPEG
    )
    with open_slide(tmp_path / "a.svs") as slide:
        assert slide.properties["openslide.mpp-x"].startswith("0.25")
        if b"rbung" in said:
            assert slide.properties["aperio.Färbung"] == "HE"


def test_a_png_may_carry_long_and_broken_texts(tmp_path: Path, tissue: Picture) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    text.add(b"zTXt", b"broken\0\0no zlib stream")
    Image.fromarray(tissue).save(tmp_path / "t.png", pnginfo=text)
    np.testing.assert_array_equal(whole(tmp_path / "t.png"), tissue)


# --- What a slide does not hold ---


def leave_out(path: Path, first_px: int) -> None:
    """Set offset and byte count to 0 for tiles of all levels that begin beyond a share of level 0."""
    edits = []
    with tifffile.TiffFile(path) as file:
        levels = file.series[0].levels if file.is_ome else file.pages
        for number, level in enumerate(levels):
            page = level.keyframe
            across = -(-page.imagewidth // page.tilewidth)
            for index in range(len(page.dataoffsets)):
                corner = max(index % across, index // across) * page.tilewidth
                if corner >= first_px >> number:
                    for tag in (page.tags["TileOffsets"], page.tags["TileByteCounts"]):
                        width = {3: 2, 4: 4, 16: 8}[int(tag.dtype)]
                        edits.append((tag.valueoffset + width * index, bytes(width)))
    with path.open("r+b") as stream:
        for at, zeros in edits:
            stream.seek(at)
            stream.write(zeros)


@pytest.mark.parametrize("deep", [False, True], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("name", ["holes.tif", "holes.ome.tif"])
def test_tiles_left_out_are_background(tmp_path: Path, tissue: Picture, name: str, deep: bool) -> None:
    glass = np.full((1024, 1024, 3), 242, np.uint8)
    glass[:512, :512] = tissue
    levels = [image.astype(np.uint16) * 257 if deep else image for image in (glass, half(glass))]
    path = tmp_path / name
    with tifffile.TiffWriter(path, ome=".ome." in name) as writer:
        for number, level in enumerate(levels):
            ome = ".ome." in name and not number
            below: dict[str, Any] = {"subifds": 1} if ome else {"subfiletype": number}
            writer.write(level, tile=(128, 128), metadata={"axes": "YXS"} if ome else None, **ZLIB, **below)
    leave_out(path, 512)
    for number, level in enumerate((tissue, half(tissue))):
        pixels, side = whole(path, number), 512 >> number
        np.testing.assert_array_equal(pixels[:side, :side], level)
        assert (pixels[side:] == 255).all()
        assert (pixels[:, side:] == 255).all()


@pytest.mark.parametrize("deep", [False, True], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("tile", [None, (128, 128)], ids=["strips", "tiles"])
@pytest.mark.parametrize("kind", ["ASSOCALPHA", "UNASSALPHA"])
def test_alpha_is_counted_once(
    tmp_path: Path, tissue: Picture, kind: str, tile: tuple[int, int] | None, deep: bool
) -> None:
    rows, columns = np.mgrid[:512, :512]
    alpha = np.clip((220 - np.hypot(rows - 256, columns - 256)) * 2, 0, 255).round().astype(np.uint8)
    share = alpha[..., None] / 255
    colour = np.round(tissue * share).astype(np.uint8) if kind == "ASSOCALPHA" else tissue
    stored = np.dstack([colour, alpha]).astype(np.uint16) * 257 if deep else np.dstack([colour, alpha])
    tifffile.imwrite(tmp_path / "a.tif", stored, extrasamples=[kind], tile=tile, metadata=None, **ZLIB)
    assert near(whole(tmp_path / "a.tif"), np.round(tissue * share + 255 * (1 - share))) < 1


# --- Damage ---


def directory_entries(data: bytes) -> dict[int, int]:
    """Position of each tag's entry in the first directory of a classic little-endian TIFF."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    return {struct.unpack_from("<H", data, at + 2 + 12 * n)[0]: at + 2 + 12 * n for n in range(count)}


@pytest.fixture(scope="module")
def strips(tmp_path_factory: pytest.TempPathFactory, tissue: Picture) -> bytes:
    path = tmp_path_factory.mktemp("strips") / "s.tif"
    tifffile.imwrite(path, tissue[:64, :64], rowsperstrip=16, metadata=None, **ZLIB)
    return path.read_bytes()


@pytest.mark.parametrize("count", [0, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("code", [256, 257, 258, 259, 262, 273, 277, 278, 279, 284])
def test_tags_with_no_or_absurdly_many_values_are_one_line(
    tmp_path: Path, strips: bytes, code: int, count: int
) -> None:
    data = bytearray(strips)
    struct.pack_into("<I", data, directory_entries(strips)[code] + 4, count)
    (tmp_path / "d.tif").write_bytes(data)
    reason(tmp_path / "d.tif")


@pytest.mark.parametrize(("code", "value"), [(284, 0), (284, 9), (277, 0), (278, 0), (256, 0), (259, 0), (262, 77)])
def test_values_that_mean_nothing_are_one_line(tmp_path: Path, strips: bytes, code: int, value: int) -> None:
    data = bytearray(strips)
    struct.pack_into("<I", data, directory_entries(strips)[code] + 8, value)
    (tmp_path / "d.tif").write_bytes(data)
    reason(tmp_path / "d.tif")


def test_sub_ifds_that_lead_to_one_another_do_not_hang(tmp_path: Path) -> None:
    """Each of 40 directories lists all 40 as its SubIFDs."""
    count, entries = 40, 4
    first, table = 16, 16 + 40 * (2 + 12 * 4 + 4)
    offsets = [first + n * (2 + 12 * entries + 4) for n in range(count)]
    tags = [(256, 4, 1, 1), (257, 4, 1, 1), (279, 4, 1, 1), (330, 4, count, table)]
    directory = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    data = b"II*\0" + struct.pack("<I", first) + bytes(8) + directory * count + struct.pack(f"<{count}I", *offsets)
    (tmp_path / "web.tif").write_bytes(data)
    assert "loop" in reason(tmp_path / "web.tif")


def test_a_tile_that_states_another_size_is_not_decoded(tmp_path: Path, tissue: Picture) -> None:
    path = tmp_path / "j.ome.tif"
    tifffile.imwrite(path, tissue, tile=(128, 128), ome=True, **JPEG)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        at = data.index(b"\xff\xc0", file.pages.first.dataoffsets[0])
    struct.pack_into(">HH", data, at + 5, 65500, 65500)
    path.write_bytes(data)
    with open_slide(path) as slide, pytest.raises(RegionError, match="65500x65500"):
        slide.read(0, 0, 0, 64, 64)


def test_a_file_that_is_cut_while_it_is_read_ends_no_process(tmp_path: Path, tissue: Picture) -> None:
    path = tmp_path / "raw.tif"
    tifffile.imwrite(path, tissue, photometric="rgb", rowsperstrip=512, metadata=None)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 100, 200, 50, 60), tissue[200:260, 100:150])
        os.truncate(path, 20_000)
        with pytest.raises(RegionError, match="x=0 y=400"):
            slide.read(0, 0, 400, 512, 100)


def test_a_large_image_is_held_once(tmp_path: Path) -> None:
    """In a process of its own: 8,000 × 8,000 pixels take 256 MB as Pillow holds them."""
    Image.new("RGB", (8000, 8000), (200, 120, 180)).save(tmp_path / "large.png", compress_level=1)
    script = (
        "import sys; from pathlib import Path; from wsi_scale.slides import open_slide, read_thumbnail\n"
        "from tests.faults.fuzzing import peak_bytes\n"
        "with open_slide(Path(sys.argv[1])) as slide: read_thumbnail(slide)\n"
        "print(peak_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "large.png")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 450e6


@pytest.mark.parametrize("bad", [b"", b"no DICOM at all", None], ids=["empty", "text", "broken link"])
@pytest.mark.data
def test_one_unreadable_file_of_a_dicom_folder_costs_nothing(
    tmp_path: Path, data_root: Path, bad: bytes | None
) -> None:
    for file in (data_root / "slides" / "CMU-1-Small-Region_dicom").iterdir():
        (tmp_path / file.name).symlink_to(file)
    if bad is None:
        (tmp_path / "bad.dcm").symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / "bad.dcm").write_bytes(bad)
    with open_slide(tmp_path) as slide:
        assert (slide.width, slide.height) == (2220, 2967)
        assert slide.warnings == ("1 of the folder's 5 DICOM files cannot be read: bad.dcm",)


def test_the_most_megapixels_of_an_image_are_told_and_can_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (400, 300)).save(tmp_path / "image.png")

    monkeypatch.setenv("WSI_SCALE_MAX_IMAGE_MPX", "0.1")
    with pytest.raises(SlideError, match=r"400x300 px, more than the 0\.1 megapixels.*set WSI_SCALE_MAX_IMAGE_MPX"):
        open_slide(tmp_path / "image.png")
    monkeypatch.setenv("WSI_SCALE_MAX_IMAGE_MPX", "many")
    with pytest.raises(SlideError, match="WSI_SCALE_MAX_IMAGE_MPX=many is not a number"):
        open_slide(tmp_path / "image.png")
    monkeypatch.setenv("WSI_SCALE_MAX_IMAGE_MPX", "0.12")
    open_slide(tmp_path / "image.png").close()
