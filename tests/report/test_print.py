"""A slide's page on paper: all of its figures on one sheet, and nothing that only a click would show."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.conftest import SlideWriter
from wsi_scale.report.pages import render_slide_page
from wsi_scale.report.slide_view import read_slide_view

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

#: What A4 and Letter both have within margins of 12 mm, pixels of CSS.
WIDTH_PX, HEIGHT_PX = 186 * 96 / 25.4, 255 * 96 / 25.4


def test_a_slide_takes_one_sheet_with_open_details_behind_it(
    chromium: "Browser", write_ok: SlideWriter, tmp_path: Path
) -> None:
    context = {"versions": {"wsi-scale": "0.1.0"}, "configuration": "tiling:\n  mpp: 0.5\n"}
    page = tmp_path / "report.html"
    page.write_text(render_slide_page(read_slide_view(write_ok(tmp_path / "slide", "slide"), "slide"), context))

    browser = chromium.new_page(viewport={"width": round(WIDTH_PX), "height": round(HEIGHT_PX)})
    browser.emulate_media(media="print")
    browser.goto(page.as_uri())
    end = browser.evaluate("document.querySelector('#slide').getBoundingClientRect().bottom + scrollY")
    shown = browser.evaluate("[...document.querySelectorAll('details > :last-child')].map((one) => one.offsetHeight)")
    browser.close()

    assert end <= HEIGHT_PX
    assert len(shown) == 2
    assert min(shown) > 0
