"""What an audit says of a slide."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.verdict import Claim, Verdict, judge
from wsi_scale.results.audit import Flag

QUARTER = (0.25, 0.2, 0.31)


def header(mpp: float | None, usable: bool = True) -> Claim | None:
    return None if mpp is None else Claim(mpp, usable)


@pytest.mark.parametrize(
    ("claimed", "usable", "estimate", "flag"),
    [
        (0.25, True, QUARTER, "agrees"),
        (0.30, True, QUARTER, "agrees"),
        # Outside the interval, but less than half an octave off.
        (0.33, True, QUARTER, "agrees"),
        # Half an octave off, but inside a wide interval.
        (0.40, True, (0.25, 0.15, 0.42), "agrees"),
        (0.50, True, QUARTER, "off_2x"),
        (0.125, True, QUARTER, "off_2x"),
        (0.37, True, QUARTER, "off_2x"),
        (1.00, True, QUARTER, "off_2x"),
        (1.20, True, QUARTER, "off_10x"),
        (2.5, True, QUARTER, "off_10x"),
        (0.05, True, (0.5, 0.4, 0.6), "off_10x"),
        (1000.0, False, QUARTER, "implausible"),
        (0.001, False, None, "implausible"),
        (None, False, QUARTER, "missing"),
        (None, False, None, "missing"),
        # Nothing to hold it against is no reason to flag it.
        (0.25, True, None, "no_estimate"),
    ],
)
def test_a_claim_is_held_against_the_look(
    claimed: float | None, usable: bool, estimate: tuple[float, float, float] | None, flag: Flag
) -> None:
    verdict = judge(header(claimed, usable), estimate)
    assert verdict.flag == flag
    assert verdict.reason
    assert "\n" not in verdict.reason


def test_a_reason_quotes_the_claim_and_the_estimate_with_its_interval() -> None:
    assert (
        judge(header(0.5), QUARTER).reason == "header says 0.5 µm/px, but estimated from pixels: 0.25 µm/px (0.2–0.31)"
    )
    assert "estimated from pixels: 0.25" in judge(None, QUARTER).reason
    assert "896" in judge(header(896.0, False), QUARTER).reason
    assert "pixels" not in judge(None, None).reason


def test_where_there_is_no_estimate_the_reason_says_why() -> None:
    verdict = judge(header(0.25), None, no_estimate="no tissue found")
    assert verdict == Verdict("no_estimate", "header says 0.25 µm/px; no estimate to compare with (no tissue found)")
    assert judge(header(0.25), None).reason == "header says 0.25 µm/px; no estimate to compare with"


@pytest.mark.parametrize(
    ("header_mpp", "words"),
    [
        (0.499, "you gave 0.25 µm/px (the header says 0.499)"),
        (352.8, "you gave 0.25 µm/px (the header says 352.8)"),
        (0.25, "you gave 0.25 µm/px (the header says the same)"),
        (None, "you gave 0.25 µm/px (the header says nothing)"),
    ],
)
def test_a_reason_tells_what_a_user_gave_from_what_the_header_says(header_mpp: float | None, words: str) -> None:
    given = Claim(0.25, usable=True, given=True, header_mpp=header_mpp)
    assert judge(given, QUARTER).reason == f"{words}; estimated from pixels: 0.25 µm/px (0.2–0.31)"
    assert judge(given, (1.0, 0.8, 1.2)).reason.startswith(f"{words}, but estimated from pixels: 1 µm/px")


@pytest.mark.parametrize("estimate", [QUARTER, None])
def test_a_slide_whose_halves_differ_is_mixed_whatever_it_looks_like_as_a_whole(
    estimate: tuple[float, float, float] | None,
) -> None:
    verdict = judge(header(0.25), estimate, mixed="its left half is estimated at 0.25 µm/px and its right half at 1")
    assert verdict.flag == "mixed"
    assert verdict.reason.startswith("header says 0.25 µm/px, but its left half is estimated at 0.25 µm/px")


@pytest.mark.parametrize(("claimed", "usable", "flag"), [(None, False, "missing"), (352.0, False, "implausible")])
def test_a_claim_that_is_no_claim_is_told_before_halves_that_differ(
    claimed: float | None, usable: bool, flag: Flag
) -> None:
    assert judge(header(claimed, usable), QUARTER, mixed="its left half differs").flag == flag


@given(st.floats(0.05, 50), st.floats(0.2, 4), st.floats(0.01, 1))
@settings(deadline=None)
def test_the_further_off_the_harder_the_word(claimed: float, mpp: float, half: float) -> None:
    flag = judge(header(claimed), (mpp, mpp * 2**-half, mpp * 2**half)).flag
    off = abs(math.log2(claimed / mpp))
    if off < min(0.49, half * 0.99) or off < 0.49:
        assert flag == "agrees"
    elif off > max(half, 0.51) * 1.01 and off < 2.1:
        assert flag == "off_2x"
    elif off > max(half * 1.01, 2.2):
        assert flag == "off_10x"
