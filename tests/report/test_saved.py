"""What leaves a report: figures as files of their own, and pages of paper."""

import base64
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.conftest import SlideWriter
from tests.runs import wsi_scale

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Paper in mm, without its margins of 12 mm, and CSS pixels in a millimetre.
A4, LETTER = (210 - 24, 297 - 24), (216 - 24, 279 - 24)
PX_PER_MM = 96 / 25.4


@pytest.fixture
def results(write_ok: SlideWriter, write_failed: SlideWriter, tmp_path: Path) -> Path:
    """A cohort of two slides with maps and one that failed, with its report."""
    for name in ("one", "two"):
        write_ok(tmp_path / "results" / "slides" / name, name, ("the mpp of the header and of the objective differ",))
    write_failed(tmp_path / "results" / "slides" / "three", "three", "the slide has no usable mpp")
    wsi_scale("report", tmp_path / "results")
    return tmp_path / "results"


def saved(page: str) -> dict[str, bytes]:
    """Return the figures that a page offers, by the names that they are saved under."""
    found = re.findall(r'download="([^"]+)" href="data:image/svg\+xml;base64,([^"]+)"', page)
    return {name: base64.b64decode(content) for name, content in found}


def test_each_figure_is_offered_as_an_svg_that_needs_no_page(results: Path) -> None:
    figures = saved((results / "report.html").read_text())

    names = ("optimal-mpp", "confidence", "relu3_3", "relu4_3", "relu5_1", "distribution")
    assert set(figures) == {f"{slide}-{name}.svg" for slide in ("one", "two") for name in names}
    for content in figures.values():
        drawn = ET.fromstring(content)
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert b"var(--" not in content
        assert re.findall(rb'href="(?!#|data:)', content) == []


@pytest.mark.browser
def test_every_slide_is_a_page_of_paper(results: Path, chromium: "Browser") -> None:
    page = chromium.new_page(color_scheme="dark")
    page.goto((results / "report.html").as_uri())
    page.emulate_media(media="print")
    heights = {paper: slide_heights(page, paper[0]) for paper in (A4, LETTER)}
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    printed = {paper: page.pdf(format=paper).count(b"/Type /Page\n") for paper in ("A4", "Letter")}
    page.close()

    for (_, high), found in heights.items():
        assert len(found) == 3
        assert max(found) < high
    # Status and audit, one a slide, and how it was made.
    assert printed == {"A4": 5, "Letter": 5}
    assert ground == "rgb(255, 255, 255)"


def slide_heights(page: "Page", width_mm: float) -> list[float]:
    """Heights of the slides' sections in mm on paper of a width."""
    page.set_viewport_size({"width": round(width_mm * PX_PER_MM), "height": 1000})
    script = "[...document.querySelectorAll('article.slide')].map((one) => one.getBoundingClientRect().height)"
    heights: list[float] = page.evaluate(script)
    return [height / PX_PER_MM for height in heights]
