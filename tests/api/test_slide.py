"""Slides as users open them: a path, an array, an mpp of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import wsi_scale as ws
from tests.runs import MPP


def test_a_slide_tells_what_it_is_and_reads_fields(small_slide: Path) -> None:
    with ws.open_slide(small_slide) as slide:
        assert slide.size == (1300, 1000)
        assert slide.mpp == pytest.approx(MPP)
        assert slide.mpp_source == "tiff"
        assert slide.levels[0].downsample == 1
        assert slide.warnings == ()
        assert slide.thumbnail(650).shape == (500, 650, 3)
        field = slide.read_field(x=10, y=20, width=224, height=448, size=(112, 224))
        assert field.shape == (224, 112, 3)
        assert slide.read_field(x=10, y=20, width=224, height=224).shape == (224, 224, 3)
        assert "1300 × 1000 px" in repr(slide)
        assert '<img src="data:image/jpeg' in slide._repr_html_()
        with pytest.raises(ValueError, match="give finite numbers"):
            slide.read_field(x=0, y=0, width=0, height=5)


def test_an_array_is_a_slide_and_reads_as_its_file_does(small_slide: Path, tmp_path: Path) -> None:
    with ws.open_slide(small_slide) as slide:
        pixels = slide.read_field(x=0, y=0, width=1300, height=1000, size=(1300, 1000))
    Image.fromarray(pixels).save(tmp_path / "same.png")
    with ws.open_slide(tmp_path / "same.png", mpp=0.5) as one, ws.open_slide(pixels, mpp=0.5) as two:
        assert (one.size, one.mpp, one.mpp_source) == (two.size, two.mpp, two.mpp_source)
        where = {"x": 31.5, "y": -7.25, "width": 333.0, "height": 333.0}
        np.testing.assert_array_equal(one.read_field(**where), two.read_field(**where))
    assert ws.open_slide(pixels).mpp is None
    assert (
        ws.open_slide(pixels)
        .warnings[-1]
        .endswith("mpp is missing; give it with --mpp (Python: mpp= of open_slide or run) or in the sheet's mpp column")
    )
    assert ws.open_slide(pixels).mpp_source == "missing"


@pytest.mark.parametrize("pixels", [np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5, 3), np.uint8)])
def test_what_is_no_image_is_one_line(pixels: np.ndarray) -> None:
    with pytest.raises(ws.SlideError, match=r"an image must be an \(H, W, 3\) array of uint8"):
        ws.open_slide(pixels)


def test_wrong_slides_and_mpps_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ws.SlideError, match="there is no slide"):
        ws.open_slide(tmp_path / "none.svs")
    with pytest.raises(ws.ConfigError, match="give µm per pixel between"):
        ws.open_slide(np.zeros((5, 5, 3), np.uint8), mpp=500)
    (tmp_path / "text.svs").write_text("no slide")
    with pytest.raises(ws.SlideError, match=r"text\.svs"):
        ws.open_slide(tmp_path / "text.svs")


def test_an_mpp_that_is_given_outranks_the_files(small_slide: Path) -> None:
    with ws.open_slide(small_slide, mpp=0.25) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.25, "override")
        assert any("0.25" in warning for warning in slide.warnings)


@pytest.mark.parametrize("as_array", [True, False])
def test_a_closed_slide_says_so_and_closes_twice(small_slide: Path, as_array: bool) -> None:
    slide = ws.open_slide(np.zeros((500, 500, 3), np.uint8) if as_array else small_slide)
    slide.close()
    slide.close()
    with pytest.raises(ws.SlideError, match="the slide is closed; open it again"):
        slide.read_field(x=0, y=0, width=100, height=100)
    assert "<img" not in slide._repr_html_()


@pytest.mark.parametrize(
    "asked", [{"size": 0}, {"width": float("nan")}, {"x": float("inf")}, {"height": -1.0}, {"size": (64, 0)}]
)
def test_a_field_that_cannot_be_is_refused(asked: dict[str, Any]) -> None:
    slide = ws.open_slide(np.zeros((500, 500, 3), np.uint8))
    with pytest.raises(ValueError, match="give finite numbers"):
        slide.read_field(**({"x": 0.0, "y": 0.0, "width": 100.0, "height": 100.0} | asked))
    assert slide.read_field(x=0, y=0, width=10, height=10, size=np.int64(5)).shape == (5, 5, 3)
    with pytest.raises(ValueError, match="a thumbnail of 0 px is empty"):
        slide.thumbnail(0)


def test_other_things_than_slides_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ws.SlideError, match="a slide must be a path or an"):
        ws.open_slide(None)  # type: ignore[arg-type]
    with pytest.raises(ws.ConfigError, match="give µm per pixel between"):
        ws.open_slide(np.zeros((5, 5, 3), np.uint8), mpp="0.5")  # type: ignore[arg-type]
