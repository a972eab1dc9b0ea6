"""Facts, verdicts and estimates in the words of the reports."""

from dataclasses import replace

import pytest

from wsi_scale.report.words import (
    VERDICTS,
    audit_counts,
    claim_words,
    failed_first,
    flagged_first,
    interval_text,
    mpp_text,
    no_brightfield_words,
    prediction_words,
    slide_facts,
    unanswered_words,
)
from wsi_scale.results.audit import FLAGS, unreadable_row
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.scale_map import Reason


def test_a_slides_facts_say_what_was_given_and_what_the_header_says() -> None:
    known = {"status": "ok", "mpp": 0.25, "mpp_source": "override", "header_mpp": 0.499}
    assert ("Pixel", "0.25 µm/px (given by you; the header says 0.499)") in slide_facts(known)
    assert ("Pixel", "0.25 µm/px (OME metadata)") in slide_facts(known | {"mpp_source": "ome"})
    estimated = known | {"mpp_source": "estimated", "header_mpp": None}
    assert ("Pixel", "0.25 µm/px (estimated from pixels; the header says nothing)") in slide_facts(estimated)


def test_every_reason_of_a_place_that_could_have_an_answer_has_words() -> None:
    reasons = [reason for reason in Reason if reason not in (Reason.ANSWERED, Reason.GLASS)]
    words = unanswered_words(dict.fromkeys(reasons, 2))
    assert all(f"2 {reason.label} (" in words for reason in reasons)
    assert unanswered_words({}) == ""


def test_a_slide_that_cannot_be_read_has_no_facts() -> None:
    assert slide_facts({"status": "unreadable", "width": 3, "height": 3, "vendor": "aperio"}) == []


def test_facts_give_the_size_in_millimetres_where_the_pixel_size_can_be_used() -> None:
    known = {"status": "ok", "width": 40_000, "height": 1_500, "vendor": "aperio", "objective_power": 40.0}
    facts = dict(slide_facts(known | {"mpp": 0.25, "mpp_x": 0.25, "mpp_y": 0.25, "mpp_source": "metadata"}))
    assert facts["Size"] == "40\u202f000 × 1\u202f500 px (10 × 0.375 mm)"
    assert (facts["Vendor"], facts["Objective"]) == ("aperio", "40×")
    for mpp in (1000.0, None):
        unusable = dict(slide_facts(known | {"mpp": mpp, "mpp_x": mpp, "mpp_y": mpp, "mpp_source": "tiff"}))
        assert unusable["Size"] == "40\u202f000 × 1\u202f500 px"
    assert dict(slide_facts(known | {"mpp": None}))["Pixel"] == "µm per pixel unknown"


@pytest.mark.parametrize(
    ("mpp", "text"),
    [(None, "–"), (0.25032, "0.25"), (12.34, "12.3"), (999.4, "999"), (1000.0, "1000"), (12345.6, "12346")],
)
def test_a_pixel_size_has_three_digits_and_never_an_exponent(mpp: float | None, text: str) -> None:
    assert mpp_text(mpp) == text


def test_half_an_interval_is_none() -> None:
    assert interval_text(0.2, 0.31) == "0.2–0.31"
    assert interval_text(None, 0.31) == interval_text(0.2, None) == ""


def test_an_estimate_is_told_with_its_interval_and_its_absence_with_the_reason() -> None:
    found = Prediction(0.258, 0.2, 0.33, "ok", "", 24, {"1": 0.26}, "")
    assert "0.258 µm/px at level 0 (0.2–0.33), from 24 views" in prediction_words(found)
    none = Prediction(None, None, None, "abstained", "no tissue was found", 0, {}, "")
    assert prediction_words(none).endswith("no estimate: no tissue was found.")
    assert no_brightfield_words(found) == no_brightfield_words(none) == ""


def test_flagged_slides_come_first_and_every_slide_is_counted_once() -> None:
    rows = [replace(unreadable_row(flag, "/p", ""), flag=flag) for flag in (*reversed(FLAGS), FLAGS[0])]
    assert [row.flag for row in flagged_first(rows)] == [FLAGS[0], *FLAGS]
    counts = audit_counts(rows)
    assert sum(count for *_, count in counts) == len(rows)
    assert {name for _, name, _ in counts} == {name for _, name in VERDICTS.values()}
    assert claim_words(rows[0]) == ""


def test_failed_slides_come_first_and_the_others_keep_their_order() -> None:
    statuses = ["ok", "failed", "empty", "ok", "failed", "empty"]
    assert failed_first(statuses) == [1, 4, 2, 5, 0, 3]
