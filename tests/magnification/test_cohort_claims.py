"""Claims of a cohort judged together, on simulated cohorts whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wsi_scale.magnification.cohort_claims import LEAST_SLIDES, CohortClaims, judge_claims

Errors = NDArray[np.float64]

#: Spread between slides and between laboratories, octaves; cohorts drawn of each kind.
SLIDE, LABORATORY, COHORTS = 0.2, 0.12, 120
BY_HALF, TWICE = float(np.log2(1.5)), 1.0


def cohort(rng: np.random.Generator, slides: int, heavy: bool) -> Errors:
    """Draw the errors of a cohort whose claims are right; heavy tails are a t distribution's of 5 degrees."""
    own = rng.standard_t(5, slides) * np.sqrt(3 / 5) if heavy else rng.standard_normal(slides)
    return np.asarray(rng.normal(0, LABORATORY) + SLIDE * own)


def judge(errors: Errors, half_widths: Errors | None = None) -> CohortClaims:
    claims = judge_claims(errors, half_widths)
    assert claims is not None
    return claims


def judged(slides: int, heavy: bool, spoil: Callable[[Errors], None] = lambda _: None) -> list[CohortClaims]:
    rng = np.random.default_rng((slides, heavy))
    found = []
    for _ in range(COHORTS):
        errors = cohort(rng, slides, heavy)
        spoil(errors)
        found.append(judge(errors))
    return found


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("slides", [10, 50])
def test_false_alarms_are_rare(slides: int, heavy: bool) -> None:
    found = judged(slides, heavy)
    assert np.mean([claims.apart.mean() for claims in found]) < 0.02
    assert np.mean([claims.subgroup.any() for claims in found]) < 0.03
    assert np.mean([claims.all_off for claims in found]) < 0.03


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("slides", [10, 50])
def test_a_single_claim_that_is_wrong_by_2_is_found(slides: int, heavy: bool) -> None:
    def spoil(errors: Errors) -> None:
        errors[0] += TWICE

    assert np.mean([claims.doubtful[0] for claims in judged(slides, heavy, spoil)]) > 0.93


@pytest.mark.parametrize(("slides", "least"), [(10, 0.5), (20, 0.85), (50, 0.98)])
@pytest.mark.parametrize("heavy", [False, True])
def test_claims_that_are_wrong_alike_are_found_as_a_group(slides: int, least: float, heavy: bool) -> None:
    wrong = round(0.3 * slides)

    def spoil(errors: Errors) -> None:
        errors[:wrong] += BY_HALF

    found = judged(slides, heavy, spoil)
    groups = [claims for claims in found if claims.subgroup.any()]
    assert len(groups) / len(found) > least
    assert np.median([claims.subgroup_octaves for claims in groups]) == pytest.approx(BY_HALF, abs=0.08)
    assert np.mean([claims.doubtful[wrong:].mean() for claims in found]) < 0.09


def test_claims_that_are_all_wrong_alike_are_found_and_not_taken_for_the_estimators_error() -> None:
    def spoil(errors: Errors) -> None:
        errors -= BY_HALF

    found = judged(20, False, spoil)
    assert np.mean([claims.all_off for claims in found]) > 0.85
    assert np.mean([claims.doubtful.all() for claims in found]) > 0.85


def test_most_claims_wrong_alike_are_the_doubtful_ones() -> None:
    rng = np.random.default_rng(0)
    errors = np.concatenate([rng.normal(1, 0.1, 14), rng.normal(0, 0.1, 6)])
    claims = judge(errors)
    assert not claims.all_off
    assert claims.doubtful.tolist() == [True] * 14 + [False] * 6
    assert claims.subgroup_octaves == pytest.approx(1, abs=0.1)


def test_what_few_slides_share_is_believed_less() -> None:
    few, many = judge(np.full(5, 0.2)), judge(np.full(200, 0.2))
    assert 0.1 < few.shift_octaves < many.shift_octaves < 0.2
    assert few.shift_deviation > many.shift_deviation


def test_fewer_than_five_slides_are_no_cohort_and_slides_without_an_estimate_do_not_count() -> None:
    assert judge_claims(np.array([0.0, 0.1, 3.0, -0.1])) is None
    assert judge_claims(np.array([0.0, 0.1, 3.0, -0.1, np.nan])) is None


def test_a_slide_whose_own_estimate_is_uncertain_is_allowed_to_lie_farther_off() -> None:
    errors = np.array([0.0, 0.1, -0.1, 0.05, -0.05, 0.1, 0.75])
    sure, unsure = (judge(errors, np.array([0.4] * 6 + [0.4 * factor])) for factor in (1.0, 2.0))
    assert (sure.apart[-1], unsure.apart[-1]) == (True, False)


@given(st.lists(st.floats(-6, 6), min_size=LEAST_SLIDES, max_size=30))
@settings(deadline=None, max_examples=60)
def test_any_errors_are_judged_whatever_their_order(errors: list[float]) -> None:
    values = np.array(errors)
    order = np.random.default_rng(len(errors)).permutation(len(errors))
    claims, turned = judge(values), judge(values[order])
    assert np.isfinite([claims.shift_octaves, claims.shift_deviation, claims.spread_octaves]).all()
    assert turned.shift_octaves == pytest.approx(claims.shift_octaves, abs=1e-6)
    assert claims.apart[order].tolist() == turned.apart.tolist()
