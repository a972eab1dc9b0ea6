"""Strips and tiles that a box touches, and samples as colours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.tiff_page import check_page, displayable, lies_in_one_piece, positions, segment_shape

WIDTH, HEIGHT = 150, 100


def page(path: Path, image: NDArray[Any] | None = None, **options: Any) -> tifffile.TiffPage:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8) if image is None else image
    tifffile.imwrite(path, image, **({"photometric": "rgb"} | options))
    with tifffile.TiffFile(path) as file:
        found: tifffile.TiffPage = file.pages.first.aspage()
        assert found.tags
        return found


LAYOUTS: dict[str, dict[str, Any]] = {
    "tiles": {"tile": (32, 48)},
    "strips": {"rowsperstrip": 7},
    "one strip": {"rowsperstrip": HEIGHT},
    "tiles of each plane": {"tile": (32, 48), "planarconfig": "separate"},
}


@pytest.fixture(scope="module", params=LAYOUTS)
def laid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tifffile.TiffPage:
    options = LAYOUTS[request.param]
    shape = (3, HEIGHT, WIDTH) if "planarconfig" in options else (HEIGHT, WIDTH, 3)
    return page(tmp_path_factory.mktemp("page") / "p.tif", np.zeros(shape, np.uint8), **options)


@given(st.data())
def test_a_box_is_covered_once_in_each_plane_by_what_it_touches(laid: tifffile.TiffPage, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
    width, height = data.draw(st.integers(1, WIDTH - x)), data.draw(st.integers(1, HEIGHT - y))
    rows, columns, samples = segment_shape(laid)

    covered = np.zeros((3 // samples, HEIGHT + rows, WIDTH + columns), int)
    found = positions(laid, x, y, width, height)
    for at in found:
        covered[at.plane, at.y : at.y + rows, at.x : at.x + columns] += 1
        assert at.x < x + width
        assert at.y < y + height
        assert at.x + columns > x
        assert at.y + rows > y

    assert (covered[:, y : y + height, x : x + width] == 1).all()
    assert len({at.number for at in found}) == len(found)
    assert all(at.number < len(laid.dataoffsets) for at in found)


@pytest.mark.parametrize(
    ("options", "in_one_piece"),
    [({}, True), ({"compression": "zlib"}, False), ({"rowsperstrip": 7}, False), ({"tile": (128, 160)}, False)],
    ids=["one strip", "compressed", "several strips", "a tile"],
)
def test_uncompressed_rows_in_one_strip_lie_in_one_piece(
    tmp_path: Path, options: dict[str, Any], in_one_piece: bool
) -> None:
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((HEIGHT, WIDTH, 3), np.uint8), photometric="rgb", **options)
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        assert lies_in_one_piece(file.pages.first.aspage()) is in_one_piece


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 50, 3), np.float32),
        np.zeros((40, 50, 3), np.int16),
        np.zeros((40, 50, 3), np.uint32),
        np.zeros((40, 50, 5), np.uint8),
    ],
    ids=["real numbers", "signed numbers", "32 bits", "five samples"],
)
def test_what_is_no_grey_or_rgb_is_refused_with_its_kind(tmp_path: Path, image: NDArray[Any]) -> None:
    found = page(tmp_path / "p.tif", image)
    with pytest.raises(SlideError, match=f"{image.shape[2]} sample.*{image.dtype}"):
        check_page(tmp_path / "p.tif", found)


def test_a_page_that_lists_too_few_tiles_is_refused(tmp_path: Path) -> None:
    found = page(tmp_path / "p.tif", tile=(32, 48))
    check_page(tmp_path / "p.tif", found)
    found.dataoffsets = found.dataoffsets[:-1]
    with pytest.raises(SlideError, match="fewer strips or tiles"):
        check_page(tmp_path / "p.tif", found)


@pytest.mark.parametrize(
    ("photometric", "stored", "shown"),
    [("minisblack", 10, 10), ("miniswhite", 10, 245)],
)
def test_grey_is_shown_in_three_channels(tmp_path: Path, photometric: str, stored: int, shown: int) -> None:
    grey = np.full((4, 5, 1), stored, np.uint8)
    found = page(tmp_path / "p.tif", grey[..., 0], photometric=photometric)
    np.testing.assert_array_equal(displayable(grey, found, (8, 8)), np.full((4, 5, 3), shown))


@pytest.mark.parametrize(
    ("extra", "shown"),
    [("unassalpha", (100, 50, 20, 51)), ("assocalpha", (255, 250, 100, 51)), ("unspecified", (100, 50, 20))],
)
def test_a_fourth_sample_is_alpha_where_the_file_says_so(tmp_path: Path, extra: str, shown: tuple[int, ...]) -> None:
    rgba = np.full((4, 5, 4), (100, 50, 20, 51), np.uint8)
    found = page(tmp_path / "p.tif", rgba, extrasamples=[extra])
    np.testing.assert_array_equal(displayable(rgba, found, (8, 8)), np.full((4, 5, len(shown)), shown))
