"""Tiles that OpenSlide would fill in are told by their ends, each looked at once."""

import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.damaged import bit, cut, damage, hole
from wsi_scale.errors import ReadError, RegionError
from wsi_scale.slides import open_slide
from wsi_scale.slides.openslide_backend import OpenSlideSlide
from wsi_scale.slides.tiff_header import Directory, TileTable
from wsi_scale.slides.tile_ends import TileEnds

Make = Callable[..., Any]
JPEG, DEFLATE = 7, 8
END = b"\xff\xd9"


def ends_of(path: Path, data: list[bytes], compression: int, columns: int = 2, **more: Any) -> TileEnds:
    """Write tiles of 16 px one after the other, as the only directory of a file, at byte 8."""
    path.write_bytes(bytes(8) + b"".join(data))
    counts = np.array([len(tile) for tile in data])
    offsets = 8 + np.cumsum(counts) - counts
    grid = (1, len(data) // columns, columns)
    tiles = TileTable(16, 16, offsets.reshape(grid), counts.reshape(grid))
    size = {"width": 16 * columns, "height": 16 * grid[1]}
    return TileEnds(path, [Directory(0, 0, False, **size, compression=compression, tiled=True, tiles=tiles, **more)])


def is_whole(path: Path, tile: bytes, compression: int) -> bool:
    ends = ends_of(path, [tile], compression, columns=1)
    try:
        ends.check((16, 16), 0, 0, 16, 16)
    except ValueError:
        return False
    finally:
        ends.close()
    return True


@pytest.mark.parametrize("padding", [0, 1, 63, 64, 5000])
def test_whatever_a_writer_adds_behind_the_end_is_no_fault(tmp_path: Path, padding: int) -> None:
    body = b"\xff\xd8" + bytes(range(200)) * 4
    assert is_whole(tmp_path / "f", body + END + bytes(padding), JPEG)
    assert is_whole(tmp_path / "f", zlib.compress(body) + bytes(padding), DEFLATE)
    assert not is_whole(tmp_path / "f", body + bytes(padding), JPEG)


@pytest.mark.parametrize("wound", [cut, hole, bit])
@pytest.mark.parametrize("length", [1, 768, 3 << 20])
def test_deflated_data_are_held_to_their_checksum(tmp_path: Path, wound: Callable[[bytes], bytes], length: int) -> None:
    data = zlib.compress(np.random.default_rng(0).integers(0, 9, length, np.uint8).tobytes())
    # Data of far more bytes than the tile's pixels are damaged too, so that a tile never costs more than it may.
    assert is_whole(tmp_path / "f", data, DEFLATE) == (length < 1 << 20)
    assert not is_whole(tmp_path / "f", wound(data), DEFLATE)


def test_a_tile_left_out_and_one_outside_the_box_are_no_fault(tmp_path: Path) -> None:
    sound, broken = b"\xff\xd8" + END, b"\xff\xd8\0\0"
    ends = ends_of(tmp_path / "f", [sound, b"", sound, broken], JPEG)

    ends.check((32, 32), 0, 0, 32, 16)
    ends.check((32, 32), 0, 0, 16, 32)
    for box in ((16, 16, 1, 1), (15.5, 15.5, 1, 1), (0, 0, 32, 32)):
        for _ in range(2):
            with pytest.raises(ValueError, match="tile at x=16 y=16 end before"):
                ends.check((32, 32), *box)
    ends.check((32, 32), -0.5, -0.5, 1, 40)
    ends.check((32, 31), 0, 0, 32, 31)  # another size: no level of this file
    ends.close()


def test_every_plane_of_a_place_counts(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(8) + b"\xff\xd8\xff\xd9" * 2 + bytes(4))
    tiles = TileTable(16, 16, np.array([8, 12, 16]).reshape(3, 1, 1), np.full((3, 1, 1), 4))
    ends = TileEnds(path, [Directory(0, 0, False, 16, 16, samples=3, compression=JPEG, tiled=True, tiles=tiles)])
    with pytest.raises(ValueError, match="x=0 y=0"):
        ends.check((16, 16), 0, 0, 16, 16)
    ends.close()


def test_each_tile_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *args: reads.append(args[2]) or pread(*args))  # type: ignore[func-returns-value]
    ends = ends_of(tmp_path / "f", [b"\xff\xd8" + END] * 6, JPEG)

    for _ in range(3):
        ends.check((32, 48), 0, 0, 32, 20)
    assert len(reads) == 4
    ends.check((32, 48), 0, 0, 32, 48)
    assert len(reads) == 6
    ends.close()


def test_two_directories_of_one_size_are_not_checked(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(12))
    tiles = TileTable(16, 16, np.full((1, 1, 1), 8), np.full((1, 1, 1), 4))
    found = Directory(0, 0, False, 16, 16, compression=JPEG, tiled=True, tiles=tiles)
    twice = TileEnds(tmp_path / "f", [found, found])
    twice.check((16, 16), 0, 0, 16, 16)
    twice.close()


def test_a_share_that_hiccups_is_no_damage(picture: Make, write_pyramid: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    path = write_pyramid(picture(512, 512), levels=2, compression="jpeg")
    with open_slide(path) as slide, monkeypatch.context() as hiccup:
        hiccup.setattr(os, "pread", fail)
        with pytest.raises(ReadError, match=r"\(Input/output error\); run again"):
            slide.read(0, 448, 0, 64, 64)
        with pytest.raises(ReadError, match="run again"):  # nor does another library take over
            open_slide(path)
        hiccup.undo()
        assert slide.read(0, 448, 0, 64, 64).shape == (64, 64, 3)


@pytest.mark.parametrize("compression", ["jpeg", "zlib"])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("size", [512, 501])
def test_half_a_tile_is_told_and_costs_no_other(
    picture: Make, write_pyramid: Make, compression: str, level: int, size: int
) -> None:
    path = write_pyramid(picture(size, size), levels=2, compression=compression)
    with open_slide(path) as slide:
        truth = slide.read(level, 0, 0, slide.levels[level].width, slide.levels[level].height)
    x, y, width, height = damage(path, level=level, tile=5 if level else 19, wound=cut)

    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)

        def wrong(seed: int) -> int:
            count = 0
            for left, top in np.random.default_rng(seed).integers(0, truth.shape[0] - 64, (40, 2)).tolist():
                inside = x - 64 < left < x + width and y - 64 < top < y + height
                # Where a level's factor is not a whole number OpenSlide looks at a pixel more.
                near = x - 65 < left < x + width + 1 and y - 65 < top < y + height + 1
                try:
                    pixels = slide.read(level, left, top, 64, 64)
                    count += inside or not np.array_equal(pixels, truth[top : top + 64, left : left + 64])
                except RegionError:
                    count += not near
            return count

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(wrong, range(4))) == [0] * 4
