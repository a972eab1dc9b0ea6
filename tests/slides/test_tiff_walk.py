"""Directories are followed once each, wherever they lie and whatever they claim."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile

from tests.reading import reason
from wsi_scale.errors import SlideError
from wsi_scale.slides.tiff_walk import DESCRIPTION, LENGTH, WIDTH, RawDirectory, Walk

Make = Callable[..., Any]


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


def walked(path: Path) -> list[RawDirectory]:
    with path.open("rb") as stream:
        return list(Walk(path, stream).directories())


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_directory_is_met_once_each_parent_before_its_children(
    tmp_path: Path, picture: Make, bigtiff: bool, order: str
) -> None:
    path = tmp_path / "w.tif"
    sizes = [(64, 48), (32, 24), (16, 12), (80, 40)]
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=order) as writer:
        for number, (width, height) in enumerate(sizes):
            options: dict[str, Any] = {"subifds": 2} if number == 0 else {}
            writer.write(
                picture(height, width), photometric="rgb", description=f"page {number}", metadata=None, **options
            )

    found = walked(path)

    assert [(raw.first(WIDTH, 0), raw.first(LENGTH, 0)) for raw in found] == sizes
    assert [(raw.number, raw.is_sub) for raw in found] == [(0, False), (0, True), (0, True), (1, False)]
    assert found[3].all(DESCRIPTION).tobytes().startswith(b"page 3")
    assert found[0].first(9999, 7) == 7
    assert found[0].all(9999).size == 0


def test_a_tag_of_numbers_without_a_value_is_damage(tmp_path: Path, picture: Make) -> None:
    path = tmp_path / "w.tif"
    tifffile.imwrite(path, picture(40, 40), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.filehandle.seek(file.pages.first.tags["ImageWidth"].offset + 4)
        file.filehandle.write((0).to_bytes(4, "little"))
    with pytest.raises(SlideError, match="tag 256 has no value"):
        walked(path)


@pytest.mark.parametrize("count", [60_000, 2**32 - 1])
def test_a_tag_larger_than_the_file_takes_no_memory(tmp_path: Path, count: int) -> None:
    entry = struct.pack("<HHII", DESCRIPTION, 2, count, 8)
    path = tmp_path / "w.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4))
    with pytest.raises(ValueError, match="larger than the file"):
        walked(path)


def test_a_directory_beyond_the_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "w.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 5000) + bytes(40))
    with pytest.raises(SlideError, match="point beyond the end of the file"):
        walked(path)


def ndpi(path: Path, *, marked: bool) -> Path:
    """Write one directory as Hamamatsu does: its offset takes eight bytes, and one tag marks the vendor."""
    entries = [struct.pack("<HHII", WIDTH, 4, 1, 30), struct.pack("<HHII", LENGTH, 4, 1, 20)]
    entries += [struct.pack("<HHII", 65420 if marked else 65000, 4, 1, 1)]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(8)
    path.write_bytes(b"II*\0" + struct.pack("<Q", 16) + bytes(4) + directory)
    return path


@pytest.mark.parametrize("marked", [True, False])
def test_hamamatsus_variant_is_known_by_its_mark_not_its_name(tmp_path: Path, marked: bool) -> None:
    path = ndpi(tmp_path / "scan.tif", marked=marked)
    with path.open("rb") as stream:
        assert Walk(path, stream).is_ndpi is marked
    assert [raw.first(WIDTH, 0) for raw in walked(path)] == [30]


@pytest.mark.data
def test_a_real_ndpi_is_walked_as_tifffile_does(data_root: Path) -> None:
    path = data_root / "slides" / "test3-DAPI-2-387.ndpi"
    with tifffile.TiffFile(path) as file:
        sizes = [(page.imagewidth, page.imagelength) for page in file.pages]
    assert [(raw.first(WIDTH, 0), raw.first(LENGTH, 0)) for raw in walked(path)] == sizes
