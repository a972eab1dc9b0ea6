"""Estimates and audits from Python."""

from pathlib import Path

import pytest

import wsi_scale as ws
from tests.runs import MPP


def test_a_path_a_slide_and_an_array_are_one(small_slide: Path) -> None:
    with ws.open_slide(small_slide) as slide:
        pixels = slide.read_field(x=0, y=0, width=1300, height=1000, size=(1300, 1000))
        opened = ws.estimate_mpp(slide)
    assert opened == ws.estimate_mpp(small_slide) == ws.estimate_mpp(str(small_slide))
    assert ws.estimate_mpp(pixels).status == opened.status
    if opened.status == "ok":
        assert opened.low is not None
        assert opened.high is not None
        assert opened.mpp is not None
        assert opened.low <= opened.mpp <= opened.high
    assert opened.status in opened._repr_html_()


def test_every_slide_is_a_row(small_slide: Path, tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("no slide")
    rows = ws.audit([small_slide, tmp_path / "text.svs", tmp_path / "gone.svs"])
    assert [row.path for row in rows] == [str(small_slide), str(tmp_path / "text.svs"), str(tmp_path / "gone.svs")]
    assert rows[0].claim == pytest.approx(MPP)
    assert rows[0].estimate is not None
    assert rows[0].flag == "mixed"  # its halves have nuclei of two sizes
    assert [row.flag for row in rows[1:]] == ["unreadable", "unreadable"]
    assert all(row.reason for row in rows)


def test_a_lone_source_without_slides_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ws.UserError, match="gone"):
        ws.audit(tmp_path / "gone")
    (row,) = ws.audit([tmp_path / "gone"])
    assert row.flag == "unreadable"
    assert "flag" in row._repr_html_()
