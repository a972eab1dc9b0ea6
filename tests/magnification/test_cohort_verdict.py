"""Verdicts on slides of one scanner, judged together."""

from dataclasses import replace

import pytest

from wsi_scale.magnification.cohort_verdict import cohort_findings, judge_together
from wsi_scale.magnification.verdict import Claim, judge
from wsi_scale.results.audit import AuditRow, unreadable_row

#: Octaves by which slides of a cohort vary.
JITTER = (0.0, 0.12, -0.15, 0.2, -0.1, 0.05, -0.2, 0.15, -0.05, 0.1)


def row(number: int, octaves: float, scanner: str = "aperio SS1", half: float = 0.4, claimed: float = 0.25) -> AuditRow:
    """Make a row as the slide alone is judged: the estimate is ``octaves`` coarser than the claim."""
    mpp = claimed * 2**octaves
    estimate = mpp, mpp * 2**-half, mpp * 2**half
    verdict = judge(Claim(claimed, True), estimate)
    return AuditRow(
        f"s{number}", "/s", claimed, "metadata", claimed, "metadata", *estimate, verdict.flag, verdict.reason, scanner
    )


def cohort(shift: float = 0.0, scanner: str = "aperio SS1") -> list[AuditRow]:
    return [row(number, shift + jitter, scanner) for number, jitter in enumerate(JITTER)]


def test_a_cohort_that_agrees_stays_as_it_is() -> None:
    rows = cohort(-0.2)
    assert judge_together(rows) == rows
    (found,) = cohort_findings(rows)
    assert (found.scanner, found.slides, found.off_together, found.off_octaves) == ("aperio SS1", 10, 0, 0.0)
    assert found.shift_octaves == pytest.approx(-0.18, abs=0.04)


def test_a_slide_as_far_off_as_its_scanner_agrees() -> None:
    rows = [*cohort(-0.3), row(10, -0.52)]
    assert rows[-1].flag == "off_2x"
    last = judge_together(rows)[-1]
    assert (last.flag, last.flagged) == ("agrees", False)
    assert last.reason == (
        "header says 0.25 µm/px; estimated from pixels: 0.174 µm/px (0.132–0.23), as far off as the other slides "
        "of aperio SS1"
    )


def test_a_slide_that_is_off_only_relative_to_its_scanner_is_flagged() -> None:
    rows = [*cohort(-0.3), row(10, 0.48)]
    assert rows[-1].flag == "agrees"
    *others, last = judge_together(rows)
    assert others == rows[:-1]
    assert last.flag == "off_2x"
    assert last.reason.startswith(
        "header says 0.25 µm/px, but estimated from pixels: 0.349 µm/px (0.264–0.46), 1.6 times"
    )
    assert last.reason.endswith("times what the other slides of aperio SS1 let expect")


def test_claims_that_are_wrong_alike_are_flagged_together() -> None:
    rows = [*cohort(), *(row(10 + number, 0.7 + jitter, half=0.9) for number, jitter in enumerate(JITTER[:6]))]
    assert {one.flag for one in rows} == {"agrees"}
    judged = judge_together(rows)
    assert [one.flag for one in judged] == ["agrees"] * 10 + ["off_together"] * 6
    assert "but estimated from pixels: 0.406 µm/px" in judged[10].reason
    assert judged[10].reason.endswith("6 slides of aperio SS1 are estimated at about 1.6 times their claims")
    (found,) = cohort_findings(judged)
    assert found.off_together == 6
    assert cohort_findings(rows) == [found]


def test_claims_of_all_slides_that_are_wrong_alike_are_flagged_and_2x_stays_2x() -> None:
    judged = judge_together([*cohort(-0.6), row(10, -1.0)])
    assert {one.flag for one in judged} <= {"off_together", "off_2x"}
    assert judged[-1].flag == "off_2x"
    assert judged[3].reason.endswith("all slides of aperio SS1 are estimated at about 0.65 times their claims")
    (found,) = cohort_findings(judged)
    assert found.off_together == found.slides == 11


def test_scanners_are_judged_apart_and_what_has_no_estimate_or_claim_is_left_alone() -> None:
    other = [replace(one, slide_id=f"o{one.slide_id}") for one in cohort(0.25, "hamamatsu C9600-12 950291")]
    silent = replace(row(20, 0.0), flag="no_estimate", mpp=None, mpp_low=None, mpp_high=None)
    rows = [*cohort(-0.25), unreadable_row("broken", "/s", "not a slide"), *other, silent, *cohort(0.0, "")[:4]]
    assert judge_together(rows) == rows
    assert [(found.scanner, found.slides) for found in cohort_findings(rows)] == [
        ("aperio SS1", 10),
        ("hamamatsu C9600-12 950291", 10),
    ]


def test_what_a_user_gave_is_told_from_what_the_header_says() -> None:
    given = replace(row(10, 1.0), mpp_source="override", header_mpp=0.5, flag="agrees")
    last = judge_together([*cohort(), given])[-1]
    assert last.reason.startswith("you gave 0.25 µm/px (the header says 0.5), but estimated from pixels: 0.5 µm/px")


def test_of_few_slides_no_claim_that_is_off_by_itself_is_acquitted_by_others_like_it() -> None:
    rows = [*cohort()[:3], row(3, 1.0), row(4, 0.95)]
    assert [one.flag for one in rows] == ["agrees"] * 3 + ["off_2x"] * 2
    assert [one.flag for one in judge_together(rows)] == ["agrees"] * 3 + ["off_2x"] * 2
