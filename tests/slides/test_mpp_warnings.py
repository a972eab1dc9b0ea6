"""Each thing that is wrong with a µm per pixel is one line, with the doubt that it raises."""

import pytest

from wsi_scale.slides.mpp_claim import MppClaim
from wsi_scale.slides.mpp_warnings import MppDoubt, about_claims, about_mpp, about_override

SOUND = MppClaim("ome", 0.25, 0.25)


@pytest.mark.parametrize(
    ("mpp_xy", "power", "doubts"),
    [
        ((0.25, 0.25), 40, []),
        ((0.25, 0.25), None, []),
        ((0.25, 0.2525), 40, []),
        ((0.25, 0.253), 40, ["axes"]),
        ((1.0, 1.0), 40, ["objective"]),
        ((1.0, 2.0), 40, ["axes", "objective"]),
        ((1000.0, 1000.0), 40, [None]),
        ((0.25, 0.0), 40, [None]),
        (None, 40, [None]),
    ],
)
def test_what_is_wrong_raises_its_own_doubt(
    mpp_xy: tuple[float, float] | None, power: float | None, doubts: list[MppDoubt | None]
) -> None:
    said = about_mpp(mpp_xy, "metadata", power)
    assert [warning.doubt for warning in said] == doubts
    assert not any("\n" in warning.text for warning in said)
    if mpp_xy == (1.0, 2.0):
        assert "1" in said[0].text
        assert "40x" in said[1].text


@pytest.mark.parametrize(("override", "warned"), [(0.25, False), (0.2524, False), (0.253, True), (0.5, True)])
def test_an_override_that_differs_by_more_than_a_percent_is_told(override: float, warned: bool) -> None:
    said = about_override(override, SOUND)
    assert bool(said) is warned
    assert all(f"{override:.4g}" in warning.text and "OME metadata" in warning.text for warning in said)
    assert about_override(override, None) == []


def test_claims_that_agree_or_are_of_no_use_at_all_need_no_line() -> None:
    useless = MppClaim("metadata", 1000.0, 1000.0)
    assert about_claims([]) == []
    assert about_claims([useless]) == []
    assert about_claims([SOUND, MppClaim("tiff", 0.26, 0.26)]) == []


def test_a_useless_claim_of_a_higher_authority_is_told_and_one_of_a_lower_is_not() -> None:
    useless = MppClaim("metadata", 1000.0, 1000.0)
    (line,) = about_claims([useless, SOUND])
    assert line.doubt is None
    assert "1000" in line.text
    assert "0.25 (OME metadata)" in line.text
    assert about_claims([SOUND, MppClaim("tiff", 900.0, 900.0)]) == []


def test_claims_that_disagree_are_listed_with_both_axes_where_these_differ() -> None:
    (line,) = about_claims([SOUND, MppClaim("tiff", 0.5, 1.0)])
    assert line.doubt == "sources"
    assert "0.25 (OME metadata), 0.5 × 1 (TIFF resolution tags)" in line.text
