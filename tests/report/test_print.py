"""A slide's page on paper: one sheet with all of its figures and how it was made, and nothing hidden behind a click."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from tests.report.conftest import SlideWriter
from wsi_scale.config.models import Config
from wsi_scale.report.pages import page_context, render_slide_page
from wsi_scale.report.slide_view import SlideView, read_slide_view
from wsi_scale.results.regions import Region

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Paper = Literal["A4", "Letter"]

pytestmark = pytest.mark.browser

#: Inner width of A4, pixels of CSS, and points in such a pixel.
WIDTH_PX, PT_PER_PX = 190 * 96 / 25.4, 72 / 96
#: Of a stage, as the table of stages has it.
MADE_ROW = ["2026-11-30 12:34", "12 min", "40 min", "1 234 tiles", "9.5 tiles/s", "2.10 GB", "cuda", "node-17"]
STAGES = ("inspect", "predict", "tile", "search", "extract")
MADE = {
    "columns": ["Stage", "Started (UTC)", "Time", "CPU time", "Work", "Rate", "Peak memory", "Device", "Host"],
    "rows": [[stage, *MADE_ROW] for stage in STAGES],
    "note": "",
    "commands": ["wsi-scale run /archive/2026/slides/slide.svs -o /archive/2026/results/slide --regions slide.geojson"],
    "machines": ["node-17: Intel(R) Xeon(R) Gold 6342 CPU @ 2.80GHz, 24 cores, 270 GB of memory; Linux-6.1.0-18-amd64"],
}  # fmt: skip


@pytest.fixture
def view(write_ok: SlideWriter, tmp_path: Path) -> SlideView:
    """A slide with a warning, and the curves of as many layers as any network reads by default."""
    folder = write_ok(tmp_path / "slide", "slide", ("the header and the objective say different µm per pixel",))
    found = read_slide_view(folder, "slide")
    assert found.scale_map is not None
    curves = found.scale_map.curves
    six = curves | {f"{layer}_again": values for layer, values in curves.items()}
    return replace(found, scale_map=replace(found.scale_map, curves=six))


def with_regions(view: SlideView, number: int) -> SlideView:
    """Lay as many strips as regions over the slide, with a name and a class; each holds tiles."""
    assert view.tiles is not None
    strip = np.arange(len(view.tiles)) * number // len(view.tiles)
    names = np.array([f"invasive margin {one}" for one in range(number)])
    ring = np.array([[800.0, 400.0], [4000.0, 400.0], [4000.0, 3600.0]])
    tiles = replace(view.tiles, region=names[strip], region_class=np.full(len(strip), "Tumor"))
    return replace(view, tiles=tiles, regions=tuple(Region(name, "Tumor", ((ring,),)) for name in names))


def written(view: SlideView, folder: Path) -> str:
    """Write the slide's page, and return its address."""
    page = folder / "report.html"
    page.write_text(render_slide_page(view, page_context(Config()) | {"made": MADE}))
    return page.as_uri()


def sheets(browser: "Browser", address: str, papers: Sequence[Paper] = ("A4", "Letter")) -> list[int]:
    """Count the sheets that a page takes on each paper."""
    page = browser.new_page()
    page.goto(address)
    counts = [page.pdf(format=paper).count(b"/Type /Page\n") for paper in papers]
    page.close()
    return counts


@pytest.mark.parametrize("regions", [0, 8])
def test_a_slide_takes_one_sheet_with_how_it_was_made(
    chromium: "Browser", view: SlideView, tmp_path: Path, regions: int
) -> None:
    shown = with_regions(view, regions) if regions else view

    assert sheets(chromium, written(shown, tmp_path)) == [1, 1]


def test_a_long_table_of_regions_goes_on_to_another_sheet_with_its_header(
    chromium: "Browser", view: SlideView, tmp_path: Path
) -> None:
    address = written(with_regions(view, 60), tmp_path)
    page = chromium.new_page()
    page.emulate_media(media="print")
    page.goto(address)
    header = page.evaluate("getComputedStyle(document.querySelector('.regions thead')).display")
    rows = page.locator(".regions tbody tr").count()
    page.close()

    assert header == "table-header-group"
    assert rows == 60
    assert sheets(chromium, address, ["A4"]) == [2]


def test_on_paper_details_are_open_and_the_text_of_curves_has_8_points(
    chromium: "Browser", view: SlideView, tmp_path: Path
) -> None:
    address = written(view, tmp_path)
    page = chromium.new_page(viewport={"width": round(WIDTH_PX), "height": 1000})
    sizes = {}
    for media in ("print", "screen"):
        page.emulate_media(media="print" if media == "print" else "screen")
        page.goto(address)
        # Of each label: its size as drawn, times how much the drawing is enlarged.
        sizes[media] = page.evaluate(
            "[...document.querySelectorAll('svg.plot text')].map((one) => "
            "parseFloat(getComputedStyle(one).fontSize) * one.ownerSVGElement.getScreenCTM().a)"
        )
        if media == "print":
            script = "[...document.querySelectorAll('details > :last-child')].map((one) => one.offsetHeight)"
            shown = page.evaluate(script)
    page.close()

    assert len(shown) == 2
    assert min(shown) > 0
    assert len(sizes["print"]) == len(sizes["screen"]) > 6 * 4
    assert min(sizes["print"]) * PT_PER_PX >= 7.95
    assert min(sizes["screen"]) >= 11
