"""What a header claims is held against the file before any library opens it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.reading import reason
from wsi_scale.errors import SlideError
from wsi_scale.slides.tiff_header import is_ndpi, is_tiff, read_header

Make = Callable[..., Any]


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


def test_a_table_that_lists_too_few_tiles_is_left_to_openslide(tmp_path: Path, picture: Make) -> None:
    path = tmp_path / "t.tif"
    tifffile.imwrite(path, picture(128, 128), tile=(64, 64), photometric="rgb", compression="jpeg")
    (directory,) = read_header(path).directories
    assert directory.tiles is not None
    assert directory.tiles.offsets.shape == (1, 2, 2)
    with tifffile.TiffFile(path, mode="r+b") as file:
        entry = file.pages.first.tags["TileByteCounts"]
        file.filehandle.seek(entry.offset + 4)
        file.filehandle.write((3).to_bytes(4, "little"))
    assert read_header(path).directories[0].tiles is None


@pytest.mark.parametrize(
    ("head", "is_one"),
    [(b"II*\0", True), (b"MM\0*", True), (b"II+\0", True), (b"MM\0+", True), (b"II*", False), (b"MM*\0", False)],
)
def test_a_tiff_is_known_by_its_first_bytes(tmp_path: Path, head: bytes, is_one: bool) -> None:
    (tmp_path / "f").write_bytes(head)
    assert is_tiff(tmp_path / "f") is is_one


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_directories_say_what_was_written(tmp_path: Path, picture: Make, planar: str, compression: str | None) -> None:
    image = picture(100, 150)
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    path = tmp_path / "h.tif"
    tifffile.imwrite(
        path, stored, photometric="rgb", planarconfig=planar, tile=(64, 64), compression=compression,
        description="µ and more".encode(), metadata=None,
    )  # fmt: skip

    (found,) = read_header(path).directories

    assert (found.width, found.height, found.samples, found.bits, found.photometric) == (150, 100, 3, 8, 2)
    assert (found.tiled, found.compression, found.area) == (True, 8 if compression else 1, 15_000)
    assert found.description == "µ and more"
    assert found.tiles is not None
    assert found.tiles.offsets.shape == (1 if planar == "contig" else 3, 2, 3)
    with tifffile.TiffFile(path) as file:
        assert found.tiles.offsets.ravel().tolist() == list(file.pages.first.dataoffsets)
        assert found.tiles.counts.ravel().tolist() == list(file.pages.first.databytecounts)


def test_a_description_in_another_encoding_is_still_a_text(tmp_path: Path, picture: Make) -> None:
    path = tmp_path / "h.tif"
    tifffile.imwrite(path, picture(40, 40), photometric="rgb", description=b"Gewebe XX", metadata=None)
    path.write_bytes(path.read_bytes().replace(b"Gewebe XX", b"Gewebe \xe4\xb5"))
    assert read_header(path).directories[0].description == "Gewebe äµ"


@pytest.mark.parametrize(
    ("tag", "value", "told"),
    [
        ("ImageWidth", 0, "claims 0x128 px"),
        ("TileWidth", 1 << 20, "claims tiles of 1048576x64 px"),
        ("PlanarConfiguration", 3, "claims 128x128 px"),
    ],
)
def test_a_size_that_cannot_be_is_told(tmp_path: Path, picture: Make, tag: str, value: int, told: str) -> None:
    path = tmp_path / "h.tif"
    tifffile.imwrite(path, picture(128, 128), photometric="rgb", tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags[tag].overwrite(value, dtype=4)
    with pytest.raises(SlideError, match=told):
        read_header(path)


def test_one_strip_of_a_gigabyte_must_be_uncompressed(tmp_path: Path) -> None:
    path = tmp_path / "h.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib", rowsperstrip=64)
    path.write_bytes(path.read_bytes() + bytes(10_000))
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages.first.tags[name].overwrite(40_000, dtype=4)
    with pytest.raises(SlideError, match=r"in pieces of 1\.6 GB"):
        read_header(path)


def test_pixels_that_end_with_the_file_are_whole_and_one_byte_less_is_told(tmp_path: Path, picture: Make) -> None:
    path = tmp_path / "h.tif"
    tifffile.imwrite(path, picture(64, 64), photometric="rgb")
    with tifffile.TiffFile(path) as file:
        end = file.pages.first.dataoffsets[-1] + file.pages.first.databytecounts[-1]
    content = path.read_bytes()
    path.write_bytes(content[:end])
    assert read_header(path).directories[0].width == 64
    path.write_bytes(content[: end - 1])
    with pytest.raises(SlideError, match="truncated"):
        read_header(path)


def test_a_file_without_directories_holds_no_image(tmp_path: Path) -> None:
    (tmp_path / "h.tif").write_bytes(b"II*\0" + bytes(4))
    with pytest.raises(SlideError, match="holds no image"):
        read_header(tmp_path / "h.tif")
    assert not is_ndpi(tmp_path / "h.tif")
