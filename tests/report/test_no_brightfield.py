"""A slide that is no brightfield tissue: pages and table say so first, and nothing sums its answers up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import recorded
from wsi_scale.artifacts.prediction import read_prediction, write_prediction
from wsi_scale.report.cohort import CohortView
from wsi_scale.report.pages import render_cohort_page, render_slide_page
from wsi_scale.report.slide_view import SlideView, read_slide_view
from wsi_scale.results.audit import unreadable_row
from wsi_scale.results.prediction import DARK_BACKGROUND, UNLIKE_TISSUE
from wsi_scale.results.summary import SlideSummary

REASONS = [DARK_BACKGROUND, f"{UNLIKE_TISSUE} (probability 30%)"]


@pytest.fixture
def abstained(tmp_path: Path, write_ok: Callable[[Path, str], Path]) -> Callable[[str], SlideView]:
    """Make the view of a slide with a map whose estimate abstains for a reason."""

    def view(reason: str) -> SlideView:
        folder = write_ok(tmp_path / "slide", "slide")
        stored = read_prediction(folder)
        assert stored is not None
        told = replace(stored, mpp=None, mpp_low=None, mpp_high=None, status="abstained", reason=reason)
        write_prediction(folder, told)
        recorded(folder, "predict", "ok", "" if told.is_brightfield else reason)
        return read_slide_view(folder, "slide")

    return view


@pytest.mark.parametrize("reason", REASONS)
def test_a_slides_page_says_so_first_and_gives_no_median(abstained: Callable[[str], SlideView], reason: str) -> None:
    page = render_slide_page(abstained(reason), {})
    body = page[page.index("<body") :]
    assert body.index("no brightfield tissue</span>") < body.index("<dl") < body.index("tiles have an optimal mpp")
    assert "there is no summary" in body
    for summary in (
        "middle half between",
        "dominant radius",
        "confidence, median",
        "Histogram",
        "Response curves",
        "views at each downsample",
    ):
        assert summary not in body


@pytest.mark.parametrize("reason", REASONS)
def test_the_cohorts_table_says_so(abstained: Callable[[str], SlideView], reason: str) -> None:
    view = abstained(reason)
    assert (view.status.status, view.status.reason) == ("ok", reason)
    verdict = unreadable_row(view.slide_id, view.status.path, "")
    row = SlideSummary(view.slide_id, "ok", reason, None, None, None, None, verdict, ())
    page = render_cohort_page([row], [view], CohortView(), {})
    assert f'<td class="reason">{reason}</td>' in page


def test_an_abstention_on_tissue_keeps_its_numbers(abstained: Callable[[str], SlideView]) -> None:
    page = render_slide_page(abstained("the interval spans more than a factor of four"), {})
    assert "no brightfield tissue" not in page
    assert "middle half between" in page
