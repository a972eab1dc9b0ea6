"""Leaving a ladder early: the answer is that of the full ladder, and nothing else is said than what was computed."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsi_scale.scale.adaptive import AGREEMENT_OCTAVES, COARSEST_MPP, estimate_so_far, search_adaptive
from wsi_scale.scale.calibration import Calibration, LayerCalibration
from wsi_scale.scale.covariant import search_covariant

Responses = Callable[..., np.ndarray]
OFFSET = np.linspace(-2.0, -1.5, 12)


def ruler() -> Calibration:
    """Twelve calibrated channels."""
    one = np.ones(12)
    return Calibration({"C2_2": LayerCalibration(np.arange(12), OFFSET, one, 0.05 * one)})


def climbed(values: np.ndarray, log2_mpp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hide, for each tile, the rungs finer than that at which it leaves; and whether it leaves."""
    seen = np.full_like(values, np.nan)
    left = np.zeros(len(values), bool)
    for rung in reversed(range(len(log2_mpp))):
        seen[~left, :, rung] = values[~left, :, rung]
        if rung:
            left |= ~left & estimate_so_far({"C2_2": seen}, log2_mpp, ruler()).settled
    return seen, left


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), low=st.floats(0.6, 2.5), octaves=st.floats(0, 1.5), jitter=st.floats(0, 0.3))
def test_channels_with_one_maximum_give_the_full_ladders_answer(
    responses: Responses, log2_mpp: np.ndarray, seed: int, low: float, octaves: float, jitter: float
) -> None:
    radius = 2.0 ** (low + octaves * np.random.default_rng(seed).random(8))
    values = responses(radius, OFFSET, np.ones(12), jitter, seed)
    full = search_covariant({"C2_2": values}, log2_mpp, ruler())
    seen, left = climbed(values, log2_mpp)
    answer = search_adaptive({"C2_2": seen}, log2_mpp, ruler(), left)
    assert left.any()
    np.testing.assert_array_equal(np.isfinite(answer.optimal_mpp), np.isfinite(full.optimal_mpp))
    difference = np.abs(np.log2(answer.optimal_mpp / full.optimal_mpp))
    assert np.nanmax(difference) <= 2 * AGREEMENT_OCTAVES
    assert np.nanmax(np.abs(answer.confidence - full.confidence)) <= 0.25


def test_where_every_channel_is_settled_the_answer_is_the_full_ladders_to_the_bit(
    responses: Responses, log2_mpp: np.ndarray
) -> None:
    radius = np.full(3, 8.0)
    values = responses(radius, OFFSET, np.ones(12), 0.0, 0)
    full = search_covariant({"C2_2": values}, log2_mpp, ruler())
    seen, left = climbed(values, log2_mpp)
    answer = search_adaptive({"C2_2": seen}, log2_mpp, ruler(), left)
    assert left.all()
    np.testing.assert_allclose(answer.optimal_mpp, full.optimal_mpp, rtol=1e-12)
    np.testing.assert_allclose(answer.confidence, full.confidence, rtol=1e-12)


def test_nobody_leaves_on_coarse_rungs_or_while_most_channels_still_rise(
    responses: Responses, log2_mpp: np.ndarray
) -> None:
    values = responses(np.array([8.0, 1.0]), OFFSET, np.ones(12), 0.0, 0)
    for rung in range(1, len(log2_mpp)):
        seen = np.where(np.arange(len(log2_mpp)) >= rung, values, np.nan)
        settled = estimate_so_far({"C2_2": seen}, log2_mpp, ruler()).settled
        assert settled[0] == (2 ** log2_mpp[rung] <= COARSEST_MPP * 1.000001)
        assert not settled[1]


def test_a_curve_that_rises_again_is_not_settled(responses: Responses, log2_mpp: np.ndarray) -> None:
    low, high = (responses(np.array([radius]), OFFSET, np.ones(12), 0.0, 0) for radius in (9.0, 1.6))
    seen = np.where(np.arange(len(log2_mpp)) >= np.searchsorted(log2_mpp, -1.0 - 1e-9), low + high, np.nan)
    assert estimate_so_far({"C2_2": np.where(np.isnan(seen), np.nan, low)}, log2_mpp, ruler()).settled.all()
    assert not estimate_so_far({"C2_2": seen}, log2_mpp, ruler()).settled.any()


def test_tiles_that_did_not_leave_are_answered_by_the_full_rule(responses: Responses, log2_mpp: np.ndarray) -> None:
    values = responses(np.array([2.0, 3.0, 5.0]), OFFSET, np.ones(12), 0.2, 3)
    full = search_covariant({"C2_2": values}, log2_mpp, ruler())
    answer = search_adaptive({"C2_2": values}, log2_mpp, ruler(), np.zeros(3, bool))
    np.testing.assert_array_equal(answer.optimal_mpp, full.optimal_mpp)
    np.testing.assert_array_equal(answer.confidence, full.confidence)


def test_curves_are_missing_where_nothing_was_computed(responses: Responses, log2_mpp: np.ndarray) -> None:
    values = responses(np.full(2, 8.0), OFFSET, np.ones(12), 0.0, 0)
    seen, left = climbed(values, log2_mpp)
    curve = search_adaptive({"C2_2": seen}, log2_mpp, ruler(), left).curves["C2_2"]
    finest = np.isfinite(seen[0, 0]).argmax()
    assert finest >= 2
    assert np.isnan(curve[:, : finest - 1]).all()
    assert np.isfinite(curve[:, finest + 1 :]).any()


@pytest.mark.parametrize("missing", [1, 2])
def test_rungs_that_the_slide_does_not_hold_are_like_those_not_computed(
    responses: Responses, log2_mpp: np.ndarray, missing: int
) -> None:
    values = responses(np.full(2, 8.0), OFFSET, np.ones(12), 0.0, 0)
    values[..., :missing] = np.nan
    assert estimate_so_far({"C2_2": values}, log2_mpp, ruler()).settled.all()
