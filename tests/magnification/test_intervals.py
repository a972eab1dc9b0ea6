"""Intervals that hold the truth as often as they say."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.intervals import conformal_quantile

score_lists = st.lists(st.floats(-5, 5), min_size=1, max_size=150)


@given(score_lists, st.sampled_from(["0.6", "0.8", "0.9", "0.95"]))
@settings(deadline=None)
def test_it_is_the_smallest_score_that_enough_others_do_not_exceed(scores: list[float], coverage: str) -> None:
    # By definition (Vovk et al. 2005): a new score would rank anywhere among n + 1 with equal chance.
    needed = (len(scores) + 1) * Fraction(coverage)
    sizes = sorted(abs(each) for each in scores)
    expected = next((size for size in sizes if sum(other <= size for other in sizes) >= needed), None)
    if expected is None:
        expected = sizes[-1] * math.ceil(needed) / len(sizes)
    assert conformal_quantile(np.array(scores), float(coverage)) == pytest.approx(expected)


@pytest.mark.parametrize("count", [9, 10, 19, 57, 200])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_it_is_numpys_quantile_of_the_scores_and_an_infinite_one(count: int, coverage: float) -> None:
    # As libraries of conformal prediction have it: the new score is counted in as the largest.
    scores = np.abs(np.random.default_rng(count).normal(size=count))
    expected = np.quantile([*scores, np.inf], coverage, method="inverted_cdf")
    assert np.isfinite(expected)
    assert conformal_quantile(scores, coverage) == pytest.approx(expected)


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("count", [12, 40])
def test_new_scores_are_held_as_often_as_promised(coverage: float, count: int) -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(3000):
        scores = rng.standard_t(3, count + 1)
        held.append(abs(scores[-1]) <= conformal_quantile(scores[:-1], coverage))
    assert coverage - 0.02 <= np.mean(held) <= coverage + 1 / (count + 1) + 0.02


def test_scores_over_difficulties_hold_the_truth_of_hard_and_easy_slides_alike() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.choice([0.1, 1.0], 4000)
    errors = difficulty * rng.normal(size=4000)
    width = conformal_quantile(errors[:2000] / difficulty[:2000], 0.9) * difficulty[2000:]
    plain = conformal_quantile(errors[:2000], 0.9)
    held, held_plainly = np.abs(errors[2000:]) <= width, np.abs(errors[2000:]) <= plain
    for group in (0.1, 1.0):
        assert held[difficulty[2000:] == group].mean() == pytest.approx(0.9, abs=0.03)
    assert held_plainly[difficulty[2000:] == 1.0].mean() < 0.85


@given(score_lists)
@settings(deadline=None)
def test_more_coverage_is_never_narrower(scores: list[float]) -> None:
    bounds = [conformal_quantile(np.array(scores), coverage) for coverage in (0.6, 0.8, 0.9, 0.95, 0.99)]
    assert bounds == sorted(bounds)


def test_too_few_scores_widen_the_interval_beyond_the_largest() -> None:
    assert conformal_quantile(np.array([0.1, -0.3]), 0.9) == pytest.approx(0.3 * 3 / 2)


def test_without_any_score_there_is_no_bound() -> None:
    assert math.isnan(conformal_quantile(np.zeros(0), 0.9))
