"""The audit's page: tiles beside what their slide claims."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.report.test_pages import CONTEXT, HOSTILE, Page
from wsi_scale.report.audit_page import BARS_UM, bars, render_audit_page
from wsi_scale.results.audit import FLAGS, AuditedSlide, AuditRow, AuditTile, Flag, unreadable_row


def tile(claimed: float | None, estimated: float | None, downsample: int = 1, side: int = 96) -> AuditTile:
    return AuditTile(np.full((side, side, 3), 200, np.uint8), downsample, claimed, estimated)


def audited(slide_id: str, flag: Flag, *tiles: AuditTile, reason: str = "because") -> AuditedSlide:
    row = AuditRow(
        slide_id, f"/p/{slide_id}.svs", 0.5, "metadata", 0.5, "metadata", 0.25, 0.2, 0.3, flag, f"{flag} {reason}"
    )
    return AuditedSlide(row, tiles)


def unreadable(slide_id: str, problem: str) -> AuditedSlide:
    return AuditedSlide(unreadable_row(slide_id, f"/p/{slide_id}.svs", problem))


@given(st.floats(0.05, 50), st.floats(0.05, 20), st.integers(96, 400))
@settings(deadline=None)
def test_both_bars_are_of_one_round_length_in_um_and_as_long_as_it_is(
    claimed: float, estimated: float, side: int
) -> None:
    by_claim, by_pixels = bars(tile(claimed, estimated, side=side))
    (length,) = {int(bar.words.split()[0]) for bar in (by_claim, by_pixels)}
    assert length in BARS_UM
    assert by_claim.length_px == pytest.approx(length / claimed)
    assert by_pixels.length_px == pytest.approx(length / estimated)
    assert (by_claim.kind, by_pixels.kind) == ("header", "pixels")
    # The longer one fits the tile, unless the shortest that there is does not, and is no needle.
    longest = max(by_claim.length_px, by_pixels.length_px)
    assert longest <= 0.6 * side * (1 + 1e-9) or length == BARS_UM[0]
    assert longest > 0.6 * side / 2.6 or length == BARS_UM[-1]


def test_bars_by_hand() -> None:
    # 96 px of 0.25 µm are 24 µm, of which 60 % are 14.4.
    by_claim, by_pixels = bars(tile(0.5, 0.25))
    assert (by_claim.words, by_claim.length_px) == ("10 µm by the claim", 20)
    assert (by_pixels.words, by_pixels.length_px) == ("10 µm by the estimate", 40)


@pytest.mark.parametrize(
    ("claimed", "estimated", "kinds"), [(None, 0.5, ["pixels"]), (0.5, None, ["header"]), (None, None, [])]
)
def test_what_is_not_known_has_no_bar(claimed: float | None, estimated: float | None, kinds: list[str]) -> None:
    assert [bar.kind for bar in bars(tile(claimed, estimated))] == kinds


def test_the_page_draws_the_bars_as_long_as_they_are() -> None:
    page = render_audit_page([audited("a", "off_2x", tile(0.5, 0.25))], CONTEXT)
    drawn = re.findall(r'class="bar (\w+)"><i style="width: ([\d.]+)px"></i>([^<]+)<', page)
    assert drawn == [("header", "20.0", "10 µm by the claim"), ("pixels", "40.0", "10 µm by the estimate")]
    # An image that is scaled would belie its bar.
    assert re.findall(r'<img src="[^"]+" width="(\d+)" height="(\d+)"', page) == [("96", "96")]


def test_the_tiles_are_shown_as_they_are() -> None:
    image = np.zeros((96, 96, 3), np.uint8)
    image[:, 48:] = (200, 40, 120)
    page = render_audit_page([audited("a", "agrees", AuditTile(image, 1, 0.5, 0.5))], CONTEXT)
    (found,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found))).convert("RGB")).astype(int)
    assert shown.shape == (96, 96, 3)
    assert np.abs(shown[:, 60:] - (200, 40, 120)).mean() < 12
    assert shown[:, :40].mean() < 12


def test_flagged_slides_come_first_and_are_counted() -> None:
    page = render_audit_page([audited(flag, flag) for flag in reversed(FLAGS)], CONTEXT)
    told = [*(flag for flag in FLAGS if flag != "unreadable"), "unreadable"]
    assert told[:3] == ["off_10x", "off_2x", "off_together"]
    assert re.findall(r"(\w+) because", page) == told
    assert "9 slides, 6 flagged." in Page(page).text


@given(st.lists(st.sampled_from(FLAGS), max_size=20))
@settings(deadline=None, max_examples=25)
def test_the_counts_add_up_to_all_slides(flags: list[Flag]) -> None:
    page = render_audit_page([audited(f"{flag}-{number}", flag) for number, flag in enumerate(flags)], CONTEXT)
    counted = re.findall(r'<li><span class="pill \w+">[^<]+</span> (\d+)</li>', page)
    assert sum(map(int, counted)) == len(flags)
    assert len(counted) == len(set(flags))


def test_a_slide_that_cannot_be_read_is_listed_with_its_problem_and_counted() -> None:
    page = render_audit_page(
        [audited("good", "agrees"), unreadable("letter", "not a known slide or image format")], CONTEXT
    )
    text = Page(page).text
    assert "2 slides, 0 flagged." in text
    assert "unreadable 1" in text
    assert "Not readable" in text
    assert "letter: not a known slide or image format" in text
    assert page.count("<article") == 1
    assert "Not readable" not in render_audit_page([audited("good", "agrees")], CONTEXT)


def test_what_is_odd_about_a_slide_is_shown() -> None:
    warned = replace(audited("a", "agrees"), warnings=("the file claims several mpp: <0.25>",))
    assert "the file claims several mpp: <0.25>" in Page(render_audit_page([warned], CONTEXT)).text
    assert 'class="warnings"' not in render_audit_page([audited("a", "agrees")], CONTEXT)


def test_a_slide_without_tissue_says_so() -> None:
    assert "No tissue to show." in render_audit_page([audited("glass", "agrees")], CONTEXT)
    assert "No tissue to show." not in render_audit_page([audited("a", "agrees", tile(0.5, 0.5))], CONTEXT)


def test_a_tile_says_how_far_it_was_brought_down() -> None:
    text = Page(render_audit_page([audited("a", "agrees", tile(0.5, 0.5), tile(2.0, 2.0, 4))], CONTEXT)).text
    assert "level 0" in text
    assert "downsampled 4 times" in text


def test_it_needs_nothing_from_outside_and_no_script_and_obeys_no_name() -> None:
    slides = [
        audited(HOSTILE, "off_2x", tile(0.5, 0.25)),
        audited("b", "agrees", reason="<b>because</b> & more"),
        unreadable(f"{HOSTILE} too", "<script>alert(2)</script>"),
    ]
    page = render_audit_page(slides, CONTEXT)
    parsed = Page(page)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(parsed.tags)
    assert all(link.startswith(("#", "data:image/")) for link in parsed.links)
    assert not any(name.startswith("on") for name, _ in parsed.attributes)
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    # A name, the path that holds it, and one that cannot be read.
    assert parsed.text.count(HOSTILE) == 3
    assert "<b>because</b> & more" in parsed.text
    assert "<script" not in page


def test_every_picture_has_a_description_and_every_element_is_closed() -> None:
    page = render_audit_page([audited("a", "agrees", tile(0.5, 0.5), tile(0.5, None)), unreadable("b", "x")], CONTEXT)
    assert page.count("<img") == len(re.findall(r'<img [^>]*alt="[^"]+"', page)) == 2
    for name in ("article", "figure", "figcaption", "div", "ul", "li", "p", "h1", "h2", "h3", "section", "table"):
        assert len(re.findall(rf"<{name}[ >]", page)) == page.count(f"</{name}>"), name


def test_the_same_slides_give_the_same_page_and_none_at_all_give_one() -> None:
    slides = [audited("a", "agrees", tile(0.5, 0.5))]
    assert render_audit_page(slides, CONTEXT) == render_audit_page(slides, CONTEXT)
    assert "0 slides, 0 flagged." in Page(render_audit_page([], {})).text
