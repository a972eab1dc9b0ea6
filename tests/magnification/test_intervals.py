"""Intervals that hold the truth as often as they say."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.intervals import conformal_half_width

residual_lists = st.lists(st.floats(-5, 5), min_size=1, max_size=150)


@given(residual_lists, st.sampled_from(["0.6", "0.8", "0.9", "0.95"]))
@settings(deadline=None)
def test_it_is_the_smallest_residual_that_enough_others_do_not_exceed(residuals: list[float], coverage: str) -> None:
    # By definition (Vovk et al. 2005): a new residual would rank anywhere among n + 1 with equal chance.
    needed = (len(residuals) + 1) * Fraction(coverage)
    sizes = sorted(abs(each) for each in residuals)
    expected = next((size for size in sizes if sum(other <= size for other in sizes) >= needed), None)
    if expected is None:
        expected = sizes[-1] * math.ceil(needed) / len(sizes)
    assert conformal_half_width(np.array(residuals), float(coverage)) == pytest.approx(expected)


@pytest.mark.parametrize("count", [9, 10, 19, 57, 200])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_it_is_numpys_inverted_quantile_at_the_corrected_level(count: int, coverage: float) -> None:
    residuals = np.random.default_rng(count).normal(size=count)
    level = min(1.0, math.ceil(round((count + 1) * coverage, 9)) / count)
    expected = np.quantile(np.abs(residuals), level, method="inverted_cdf")
    assert conformal_half_width(residuals, coverage) == pytest.approx(expected)


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("count", [12, 40])
def test_new_residuals_are_held_as_often_as_promised(coverage: float, count: int) -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(3000):
        residuals = rng.standard_t(3, count + 1)
        held.append(abs(residuals[-1]) <= conformal_half_width(residuals[:-1], coverage))
    assert coverage - 0.02 <= np.mean(held) <= coverage + 1 / (count + 1) + 0.02


@given(residual_lists)
@settings(deadline=None)
def test_more_coverage_is_never_narrower(residuals: list[float]) -> None:
    widths = [conformal_half_width(np.array(residuals), coverage) for coverage in (0.6, 0.8, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_too_few_residuals_widen_the_interval_beyond_the_largest() -> None:
    assert conformal_half_width(np.array([0.1, -0.3]), 0.9) == pytest.approx(0.3 * 3 / 2)
