"""Headers that lie end in seconds, in one line."""

import struct
import time
from pathlib import Path

import pytest
import tifffile

from tests.runs import MPP, draw, error_line, in_child
from wsi_scale.synthesis import write_pyramid


def looped(path: Path) -> None:
    """Make a TIFF whose last directory leads back to its first."""
    write_pyramid(path, draw(3.0, 500, 500), MPP)
    with tifffile.TiffFile(path) as file:
        first, *_, last = [page.offset for page in file.pages]
    content = bytearray(path.read_bytes())
    (count,) = struct.unpack_from("<H", content, last)
    struct.pack_into("<I", content, last + 2 + count * 12, first)
    path.write_bytes(content)


def vast(path: Path) -> None:
    """Make a TIFF that claims 4,000,000 pixels a side."""
    tifffile.imwrite(path, draw(3.0, 256, 256), tile=(256, 256), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages.first.tags[name].overwrite(4_000_000, dtype=4)


@pytest.mark.parametrize(("make", "word"), [(looped, "loop"), (vast, "4000000x4000000")])
def test_a_run_on_it_ends_in_seconds(tmp_path: Path, make: object, word: str) -> None:
    make(tmp_path / "lie.tiff")  # type: ignore[operator]

    start = time.monotonic()
    done = in_child("run", "-q", tmp_path / "lie.tiff", "-o", tmp_path / "out", "--mpp", "0.25", limit_s=60)

    assert word in error_line(done)
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - start < 30
    assert (tmp_path / "out" / "report.html").exists()
