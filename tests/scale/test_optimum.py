"""Interior optima of response curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.scale.optimum import interior_optimum

EVEN = np.arange(13) / 3 - 2


@st.composite
def uneven_grids(draw: st.DrawFn) -> np.ndarray:
    """log2 mpp of rungs that lie about a third of an octave apart, as rounding leaves them."""
    steps = draw(st.lists(st.floats(0.28, 0.4), min_size=9, max_size=16))
    return np.concatenate([[0], np.cumsum(steps)]) - 2


@given(uneven_grids(), st.floats(0, 1), st.floats(0.8, 2), st.floats(0.01, 1000), st.floats(0, 1))
@settings(deadline=None)
def test_a_planted_peak_is_found_between_the_rungs(
    grid: np.ndarray, place: float, width: float, height: float, floor: float
) -> None:
    inner = grid[1:-1]
    planted = inner[0] + place * (inner[-1] - inner[0])
    curve = height * (floor + np.exp(-np.square(grid - planted) / (2 * width**2)))
    found = interior_optimum(curve, grid)
    if curve.argmax() in (0, len(grid) - 1):
        assert np.isnan(found)
    else:
        assert abs(found - planted) < 0.02


@given(uneven_grids(), st.floats(0, 1), st.floats(0.1, 5))
@settings(deadline=None)
def test_the_vertex_of_a_parabola_is_exact_on_any_grid(grid: np.ndarray, place: float, steepness: float) -> None:
    planted = grid[1] + place * (grid[-2] - grid[1])
    curve = 100 - steepness * np.square(grid - planted)
    if 0 < curve.argmax() < len(grid) - 1:
        assert interior_optimum(curve, grid) == pytest.approx(planted, abs=1e-6)


@given(st.lists(st.floats(0, 100, allow_subnormal=False), min_size=13, max_size=13))
@settings(deadline=None)
def test_an_answer_lies_beside_the_highest_rung(values: list[float]) -> None:
    curve = np.array(values)
    found = interior_optimum(curve, EVEN)
    if np.isfinite(found):
        peak = curve.argmax()
        assert 0 < peak < 12
        assert EVEN[peak - 1] <= found <= EVEN[peak + 1]
        assert abs(found - EVEN[peak]) <= 1 / 6 + 1e-9


@given(st.lists(st.integers(1, 10_000), min_size=13, max_size=13, unique=True), st.floats(0.1, 10), st.floats(-5, 5))
@settings(deadline=None)
def test_gain_offset_and_mirror_move_nothing_but_what_they_mirror(values: list[int], gain: float, shift: float) -> None:
    curve = np.array(values) / 100
    found = interior_optimum(curve, EVEN)
    np.testing.assert_allclose(interior_optimum(gain * curve, EVEN), found, atol=1e-6)
    np.testing.assert_allclose(interior_optimum(curve, EVEN + shift), found + shift, atol=1e-6)
    np.testing.assert_allclose(interior_optimum(curve[::-1], -EVEN[::-1]), -found, atol=1e-6)


@pytest.mark.parametrize("curve", [EVEN, -EVEN, np.square(EVEN), np.ones(13), np.zeros(13), np.full(13, np.nan)])
def test_no_interior_maximum_is_no_answer(curve: np.ndarray) -> None:
    assert np.isnan(interior_optimum(curve, EVEN))


def test_a_maximum_at_the_first_or_last_rung_that_could_be_read_is_no_answer() -> None:
    curve = np.exp(-np.square(EVEN))
    cut = curve.copy()
    cut[:6] = np.nan
    assert cut.argmax() == 0 or np.nanargmax(cut) == 6
    assert np.isnan(interior_optimum(cut, EVEN))
    assert np.isnan(interior_optimum(cut[::-1], EVEN))


def test_rungs_that_could_not_be_read_do_not_move_a_maximum_elsewhere() -> None:
    curve = np.exp(-np.square(EVEN - 0.1))
    cut = curve.copy()
    cut[:3] = np.nan
    assert interior_optimum(cut, EVEN) == interior_optimum(curve, EVEN)


def test_a_maximum_beside_a_rung_that_could_not_be_read_is_no_answer() -> None:
    curve = np.exp(-np.square(EVEN))
    curve[5] = np.nan
    assert np.isnan(interior_optimum(curve, EVEN))


def test_curves_of_any_shape_are_answered_each_for_itself() -> None:
    planted = np.array([[-1.0, -0.5, 0.0], [0.3, 0.9, 1.4]])
    curves = np.exp(-np.square(EVEN - planted[..., None]))
    curves[1, 1] = 1
    found = interior_optimum(curves, EVEN)
    assert found.shape == (2, 3)
    assert np.isnan(found[1, 1])
    known = np.isfinite(found)
    assert known.sum() == 5
    np.testing.assert_allclose(found[known], planted[known], atol=0.02)
