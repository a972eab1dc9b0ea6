import re
from collections.abc import Callable
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.runs import recorded
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor, write_regressor
from wsi_scale.artifacts.scale_map import read_scale_map, write_scale_map
from wsi_scale.artifacts.status import StatusRow
from wsi_scale.report.cohort import CohortView, read_cohort_view
from wsi_scale.report.pages import MOST_EMBEDDED, render_cohort_page, render_slide_page
from wsi_scale.report.slide_view import SlideView, read_slide_view
from wsi_scale.results.audit import FLAGS, AuditRow, Flag, unreadable_row
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import CHANNELS, Reason
from wsi_scale.results.summary import Quartiles, SlideSummary

SlideWriter = Callable[..., Path]

HOSTILE = "a\"b'<script>alert(1)</script>&é 漢 {{ 7 * 7 }} $x$"
REASON = "no usable µm per pixel; give it with --mpp (Python: mpp= of open_slide or run) or in the sheet's mpp column"
CONTEXT = {"versions": {"wsi-scale": "0.1.0"}, "configuration": "tiling:\n  mpp: 0.5 # <&>\n"}
ANSWERS = [{"slide_id": "a", "group": "g", "true_mpp": 0.5 * k, "predicted_mpp": 0.55 * k} for k in (1, 2, 4)]


class Page(HTMLParser):
    """Elements, attributes, ids and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.ids = [value for name, value in self.attributes if name == "id"]
        self.links = [v for name, v in self.attributes if name in ("href", "src", "xlink:href") and v]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def views(
    tmp_path: Path, write_ok: SlideWriter, write_failed: SlideWriter, write_empty: SlideWriter
) -> list[SlideView]:
    warned = write_ok(tmp_path / "1", HOSTILE, ("mpp <0.5> differs",))
    return [
        read_slide_view(warned, HOSTILE, audit=_audit(HOSTILE, "off_2x")),
        read_slide_view(write_failed(tmp_path / "2", "broken", REASON), "broken"),
        read_slide_view(write_empty(tmp_path / "3", "glass"), "glass"),
    ]


def _audit(slide_id: str, flag: Flag) -> AuditRow:
    return AuditRow(slide_id, "/p", 0.5, "metadata", 0.5, "metadata", 0.25, 0.2, 0.3, flag, f"{flag} because")


def _row(status: StatusRow) -> SlideSummary:
    verdict = unreadable_row(status.slide_id, status.path, "")
    return SlideSummary(status.slide_id, status.status, status.reason, None, None, None, None, verdict, ())


def _cohort_page(views: list[SlideView], cohort: CohortView | None = None) -> str:
    return render_cohort_page([_row(view.status) for view in views], views, cohort or CohortView(), CONTEXT)


def _many(number: int) -> list[SlideSummary]:
    return [_row(StatusRow(f"a b#{k}", "/p", "ok", "")) for k in range(number)]


def test_a_slides_row_tells_its_tiles_and_their_quartiles() -> None:
    told = replace(_many(1)[0], tiles=40, answered=30, optimal_mpp=Quartiles(0.41, 0.523, 0.6))
    page = render_cohort_page([told, *_many(1)], [], CohortView(), CONTEXT)
    cells = re.findall(r'<td class="number">(.*?)</td>', page)
    assert cells == ["40", "75%", '0.523<span class="source">0.41–0.6</span>', "–", "–", "–", "–", "–"]


def test_pages_need_nothing_from_outside_and_no_script(views: list[SlideView]) -> None:
    cohort = CohortView([_audit(HOSTILE, "agrees")], {"source": "cohort", "training": {"answers": ANSWERS}})
    for page in (render_slide_page(views[0], CONTEXT), _cohort_page(views, cohort)):
        parsed = Page(page)
        assert not {"script", "link", "iframe", "object", "embed", "base"} & set(parsed.tags)
        assert all(link.startswith(("#", "data:image/")) for link in parsed.links)
        assert not any(name.startswith("on") for name, _ in parsed.attributes)
        assert not re.search(r"https?://|@import|url\((?!#)", page)


def test_every_link_within_a_page_has_its_target_and_ids_are_unique(views: list[SlideView]) -> None:
    cohort = CohortView([_audit(HOSTILE, "agrees")], {"source": "cohort", "training": {"answers": ANSWERS}})
    parsed = Page(_cohort_page(views, cohort))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)


def test_hostile_names_are_shown_and_not_obeyed(views: list[SlideView]) -> None:
    for page in (render_slide_page(views[0], CONTEXT), _cohort_page(views)):
        assert HOSTILE in Page(page).text
        assert "<script" not in page
        assert "{{ 7 * 7 }}" in page


def test_every_picture_has_a_description(views: list[SlideView]) -> None:
    page = _cohort_page(views)
    assert page.count("<img") == len(re.findall(r'<img [^>]*alt="[^"]+"', page)) == 4
    assert page.count('role="img"') == len(re.findall(r'role="img" aria-label="[^"]+', page)) == 6


def test_a_failed_slide_shows_its_reason_in_table_and_section(views: list[SlideView]) -> None:
    assert Page(_cohort_page(views)).text.count(REASON) == 2
    assert REASON in Page(render_slide_page(views[1], CONTEXT)).text


def test_failed_slides_come_first_in_the_table(views: list[SlideView]) -> None:
    table = re.findall(r'<tr class="(\w+)">', _cohort_page(views))
    assert table == ["failed", "empty", "ok"]


def test_flagged_slides_come_first_in_the_audit() -> None:
    cohort = CohortView([_audit(flag, flag) for flag in reversed(FLAGS)])
    found = re.findall(r"(\w+) because", render_cohort_page([], [], cohort, CONTEXT))
    assert found == list(FLAGS)
    assert found[:4] == ["off_10x", "off_2x", "off_together", "mixed"]


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("agrees", "agrees"),
        ("no_estimate", "no estimate"),
        ("unreadable", "unreadable"),
        ("off_2x", "off by about 2"),
        ("off_10x", "off by about 10"),
        ("off_together", "off together"),
        ("mixed", "mixed"),
        ("implausible", "implausible"),
        ("missing", "missing"),
    ],
)
def test_every_verdict_is_told_in_words_and_counted(flag: Flag, words: str) -> None:
    page = render_cohort_page([], [], CohortView([_audit("a", flag), _audit("b", flag)]), CONTEXT)
    # Once with its count, once for each slide.
    assert re.findall(r'class="pill \w+">([^<]+)<', page) == [words] * 3
    assert re.findall(r'<li><span class="pill \w+">[^<]+</span> (\d+)</li>', page) == ["2"]


def test_a_claim_says_whose_it_is_and_what_the_header_says() -> None:
    rows = [
        replace(_audit("a", "agrees"), claimed_mpp=0.25, mpp_source="override", header_mpp=0.499),
        replace(_audit("b", "agrees"), claimed_mpp=0.25, mpp_source="override", header_mpp=None),
        replace(_audit("c", "agrees"), mpp_source="ome"),
        unreadable_row("d", "/p", "no slide"),
    ]
    page = render_cohort_page([], [], CohortView(rows), CONTEXT)
    assert re.findall(r'class="source">([^<]*)<', page) == [
        "", "given by you; the header says 0.499", "given by you; the header says nothing", "OME metadata",
    ]  # fmt: skip


def test_warnings_and_the_verdict_stand_in_a_slides_section(views: list[SlideView]) -> None:
    text = Page(render_slide_page(views[0], CONTEXT)).text
    assert "mpp <0.5> differs" in text
    assert "off_2x because" in text
    assert "Estimated from the pixels alone: 0.258 µm/px at level 0 (0.2–0.33)" in text
    assert "the scanner's metadata" in text


def test_headings_in_capitals_leave_the_unit_as_it_is(views: list[SlideView]) -> None:
    page = render_slide_page(views[0], CONTEXT)
    assert ".unit { text-transform: none; }" in page
    assert re.findall(r"<h\d>([^<]*µm)", page) == []  # in capitals it reads as millimetres


def test_a_slide_that_cannot_be_read_says_so_once(tmp_path: Path, write_failed: SlideWriter) -> None:
    folder = write_failed(tmp_path / "2", "broken", REASON)
    view = read_slide_view(folder, "broken", audit=unreadable_row("broken", "/p", REASON))
    page = Page(render_slide_page(view, CONTEXT)).text
    assert page.count(REASON) == 1
    assert page.count("No picture of the slide was made.") == 1


def test_a_small_cohort_holds_its_sections_and_a_large_one_links_to_them(views: list[SlideView]) -> None:
    rows = _many(MOST_EMBEDDED - len(views))
    statuses = [_row(view.status) for view in views]
    small = render_cohort_page(statuses + rows, views, CohortView(), CONTEXT)
    large = render_cohort_page([*statuses, *rows, *_many(1)], views, CohortView(), CONTEXT)
    assert small.count("<article") == len(views)
    assert large.count("<article") == 0
    assert "<img" not in large
    assert 'href="slides/broken/report.html"' in large


def test_links_to_slides_are_quoted() -> None:
    page = render_cohort_page([_row(StatusRow("a b#1/é?", "/p", "ok", ""))], [], CohortView(), CONTEXT)
    assert 'href="slides/a%20b%231%2F%C3%A9%3F/report.html"' in page


def test_a_path_that_is_no_text_does_not_stop_the_page() -> None:
    page = render_cohort_page([_row(StatusRow("a\udcff", "/p/a\udcff.svs", "failed", "x"))], [], CohortView(), CONTEXT)
    assert page.encode("utf-8")
    assert "slides/a%FF/report.html" in page


def test_a_cohorts_own_regressor_shows_its_errors(tmp_path: Path) -> None:
    training = {"answers": ANSWERS, "tiles": 100, "groups": 5}
    whole = read_regressor(shipped_regressor())
    write_regressor(tmp_path / "r", replace(whole, header={**whole.header, "source": "cohort", "training": training}))
    text = Page(render_cohort_page([], [], read_cohort_view([], tmp_path / "r"), CONTEXT)).text
    assert "100 tiles from 5 groups" in text
    # Each answer is 1.1 times too large.
    assert text.count("0.14 octave (a factor of 1.10)") == 2
    assert "+0.14 octave" in text


def test_the_regressor_of_a_training_without_answers_is_shown_too() -> None:
    header = {"source": "trained", "training": {"data": ["tissue"], "seed": 0}}
    text = Page(render_cohort_page([], [], CohortView((), header), CONTEXT)).text
    assert "nothing was fitted to these slides" in text


def test_the_shipped_regressor_is_named_and_its_figures_are_shown() -> None:
    header = {"source": "shipped", "training": {"figures": {"held_out": {"median_error": 0.2143}}}}
    text = Page(render_cohort_page([], [], CohortView((), header), CONTEXT)).text
    assert "The shipped regressor was used; nothing was fitted to these slides." in text
    assert "held out: median error" in text
    assert "0.2143" in text


def test_a_map_without_any_answer_says_so(tmp_path: Path, write_ok: SlideWriter) -> None:
    scale_map, _ = read_scale_map(write_ok(tmp_path, "a"))
    nothing = np.full_like(scale_map.image, np.nan)
    attributes = {**scale_map.attributes, "grid": asdict(scale_map.grid)}
    write_scale_map(tmp_path, replace(scale_map, image=nothing, attributes=attributes), "f")
    recorded(tmp_path, "search")
    page = render_slide_page(read_slide_view(tmp_path, "a"), CONTEXT)
    assert "No tile has an optimal mpp" in page
    assert "Response curves" not in page


def test_the_same_results_give_the_same_page(views: list[SlideView]) -> None:
    assert _cohort_page(views) == _cohort_page(views)


def test_versions_and_configuration_are_shown_as_they_are(views: list[SlideView]) -> None:
    text = Page(render_slide_page(views[1], CONTEXT)).text
    assert "mpp: 0.5 # <&>" in text
    assert "wsi-scale" in text


def test_a_page_without_context_can_be_written(views: list[SlideView]) -> None:
    assert "Not recorded." in render_slide_page(views[2], {})


def test_the_radius_is_told_in_micrometres_with_a_scale_of_its_own(tmp_path: Path, write_ok: SlideWriter) -> None:
    view = read_slide_view(write_ok(tmp_path, "a"), "a")
    assert view.scale_map is not None
    median = np.nanmedian(view.scale_map.dominant_radius_um)
    text = Page(render_slide_page(view, CONTEXT)).text
    assert f"dominant radius: median {median:.3g} µm" in text
    assert "dominant radius, µm" in text
    published = replace(view.scale_map, attributes={"method": "published"})
    published.image[CHANNELS.index("dominant_radius_um")] = np.nan
    text = Page(render_slide_page(replace(view, scale_map=published), CONTEXT)).text
    assert "optimal mpp, µm/px" in text
    assert "ominant radius" not in text


def test_reasons_are_named_and_counted(tmp_path: Path, write_ok: SlideWriter) -> None:
    view = read_slide_view(write_ok(tmp_path, "a"), "a")
    assert view.scale_map is not None
    count = int((view.scale_map.reason == Reason.NO_OPTIMUM).sum())
    assert count
    said = f"Without an optimal mpp: {count} no_optimum (too few channels prefer a scale)."
    assert said in Page(render_slide_page(view, CONTEXT)).text
    view.scale_map.image[0] = np.nan
    text = Page(render_slide_page(view, CONTEXT)).text
    assert f"No tile has an optimal mpp, so there is no map. {said}" in text


def test_places_that_cannot_be_read_are_hatched_and_counted(tmp_path: Path, write_ok: SlideWriter) -> None:
    note = "3 of 148 tiles cannot be read"
    write_ok(tmp_path, "a")
    found, print_ = read_scale_map(tmp_path)
    answered = np.argwhere(found.reason == Reason.ANSWERED)[:3]
    found.reason[tuple(answered.T)] = Reason.UNREADABLE
    write_scale_map(tmp_path, found, print_)
    recorded(tmp_path, "search", "ok", note, print_)

    view = read_slide_view(tmp_path, "a")
    page = render_slide_page(view, CONTEXT)

    parsed = Page(page)
    assert note in parsed.text
    assert parsed.text.count("cannot be read (3)") == 2
    outlines = [value for name, value in parsed.attributes if name == "d" and value and value.count("z") == 3]
    assert len(outlines) == 2
    assert len(parsed.ids) == len(set(parsed.ids))
    assert note in render_cohort_page([_row(view.status)], [], CohortView(), CONTEXT)
    assert "hatching" not in render_slide_page(read_slide_view(write_ok(tmp_path / "b", "b"), "b"), CONTEXT)


def test_regions_are_outlined_on_the_maps_and_summed_up_in_a_table(write_ok: SlideWriter, tmp_path: Path) -> None:
    view = read_slide_view(write_ok(tmp_path / "slide", "slide"), "slide")
    assert view.tiles is not None
    assert view.scale_map is not None
    left = view.tiles.col < 9
    tiles = replace(view.tiles, region=np.where(left, "core <A>", "rest"), region_class=np.where(left, "Tumor", ""))
    ring = np.array([[800.0, 400.0], [4000.0, 400.0], [4000.0, 3600.0]])
    answers = view.scale_map.optimal_mpp[tiles.row, tiles.col][left]

    page = render_slide_page(replace(view, tiles=tiles, regions=(Region("core <A>", "Tumor", ((ring,),)),)), {})

    assert page.count('<text class="region"') == 2
    table = re.sub(r"\s*<[^>]*>\s*", " ", page[page.index('<div class="regions') :].partition("</table>")[0])
    median = f"{np.nanmedian(answers):.3g}"
    assert f"core &lt;A&gt; Tumor {left.sum()} {np.isfinite(answers).sum()} {median}" in re.sub(" +", " ", table)
