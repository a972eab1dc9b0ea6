"""Calibrated channels as a ruler."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wsi_scale.scale.calibration import Calibration, LayerCalibration
from wsi_scale.scale.covariant import CovariantAnswer, _median, robust_mean, search_covariant

Responses = Callable[..., np.ndarray]

OFFSET = {"C2_2": np.array([-1.9, -1.8, -1.7, -1.6]), "C3_4": np.array([-1.5, -1.75, -1.85, -2.0, -1.7])}


def ruler(slope: float = 1.0) -> Calibration:
    """Nine calibrated channels of two layers, among others."""
    return Calibration(
        {
            name: LayerCalibration(
                2 * np.arange(len(offset)), offset, np.full(len(offset), slope), np.full(len(offset), 0.05)
            )
            for name, offset in OFFSET.items()
        }
    )


@pytest.fixture
def measure(responses: Responses, log2_mpp: np.ndarray) -> Callable[..., CovariantAnswer]:
    """Search tiles of given radii, whose channels peak on their lines, give or take a jitter."""

    def search(radius_um: np.ndarray, slope: float = 1.0, jitter: float = 0.0, seed: int = 0) -> CovariantAnswer:
        values = {}
        for name, offset in OFFSET.items():
            # Every second channel is not calibrated, and says something else.
            both = np.stack([offset, np.full(len(offset), 1.0)], axis=1).ravel()
            slopes = np.stack([np.full(len(offset), slope), np.zeros(len(offset))], axis=1).ravel()
            values[name] = responses(radius_um, both, slopes, jitter, seed)
        return search_covariant(values, log2_mpp, ruler(slope))

    return search


@pytest.mark.parametrize("slope", [0.8, 1.0, 1.2])
def test_the_planted_radius_is_read(measure: Callable[..., CovariantAnswer], slope: float) -> None:
    radii = np.geomspace(1.8, 6, 30)
    answer = measure(radii, slope)
    np.testing.assert_allclose(np.log2(answer.radius_um / radii), 0, atol=0.03)


def test_the_optimal_mpp_is_the_radius_times_k(measure: Callable[..., CovariantAnswer]) -> None:
    answer = measure(np.geomspace(1.8, 6, 30))
    np.testing.assert_allclose(answer.optimal_mpp, answer.radius_um * 2 ** ruler().log2_k, rtol=1e-12)
    assert ruler().log2_k == -1.75


@pytest.mark.parametrize("slope", [0.85, 1.0])
def test_twice_the_radius_means_twice_the_optimal_mpp(measure: Callable[..., CovariantAnswer], slope: float) -> None:
    radii = np.geomspace(1.8, 3.5, 20)
    once, twice = measure(radii, slope), measure(2 * radii, slope)
    np.testing.assert_allclose(np.log2(twice.optimal_mpp / once.optimal_mpp), 1, atol=0.04)


def test_a_few_channels_that_say_something_else_do_not_move_the_answer(
    responses: Responses, log2_mpp: np.ndarray
) -> None:
    radii = np.geomspace(2, 5, 20)
    strayed = {name: offset.copy() for name, offset in OFFSET.items()}
    strayed["C2_2"][0] += 1.5
    strayed["C3_4"][1] -= 1.2
    values = {name: np.repeat(responses(radii, o, np.ones(len(o))), 2, axis=1) for name, o in strayed.items()}
    answer = search_covariant(values, log2_mpp, ruler())
    np.testing.assert_allclose(np.log2(answer.radius_um / radii), 0, atol=0.05)


def test_what_is_larger_or_smaller_than_the_ladder_reaches_is_told_from_what_prefers_no_scale(
    measure: Callable[..., CovariantAnswer], log2_mpp: np.ndarray
) -> None:
    beyond = measure(np.array([0.1, 3.0, 200.0]))
    assert np.isfinite(beyond.optimal_mpp).tolist() == [False, True, False]
    assert beyond.beyond_ladder.tolist() == [True, False, True]
    flat = {name: np.ones((1, 2 * len(offset), len(log2_mpp))) for name, offset in OFFSET.items()}
    answer = search_covariant(flat, log2_mpp, ruler())
    assert np.isnan(answer.optimal_mpp).all()
    assert answer.beyond_ladder.tolist() == [False]


def test_confidence_is_between_none_and_all(measure: Callable[..., CovariantAnswer]) -> None:
    for jitter in (0.0, 0.2, 1.0, 3.0):
        confidence = measure(np.geomspace(1, 12, 50), jitter=jitter).confidence
        assert ((confidence >= 0) & (confidence <= 1)).all()


def test_confidence_falls_as_channels_disagree(measure: Callable[..., CovariantAnswer]) -> None:
    radii = np.full(200, 3.0)
    means = [measure(radii, jitter=jitter).confidence.mean() for jitter in (0.0, 0.1, 0.3, 0.6)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.95
    assert means[-1] < 0.5


def test_confidence_is_the_share_that_answers_times_their_agreement(
    measure: Callable[..., CovariantAnswer], responses: Responses, log2_mpp: np.ndarray
) -> None:
    radii = np.full(3, 3.0)
    values = {name: np.repeat(responses(radii, o, np.ones(len(o))), 2, axis=1) for name, o in OFFSET.items()}
    values["C2_2"][:] = 1.0
    answer = search_covariant(values, log2_mpp, ruler())
    # Five of nine calibrated channels answer, and these agree.
    np.testing.assert_allclose(answer.confidence, 5 / 9, atol=0.02)
    np.testing.assert_allclose(np.log2(answer.radius_um / 3), 0, atol=0.03)
    assert (measure(radii).confidence > answer.confidence).all()


def test_a_tile_that_too_few_channels_answer_has_no_answer(responses: Responses, log2_mpp: np.ndarray) -> None:
    radii = np.full(2, 3.0)
    values = {name: np.repeat(responses(radii, o, np.ones(len(o))), 2, axis=1) for name, o in OFFSET.items()}
    for layer in values.values():
        layer[0] = 0.0
    values["C2_2"][0, 0] = values["C2_2"][1, 0]
    answer = search_covariant(values, log2_mpp, ruler())
    assert np.isnan(answer.radius_um[0])
    assert np.isnan(answer.optimal_mpp[0])
    assert answer.confidence[0] == 0
    assert np.isfinite(answer.radius_um[1])


def test_rungs_that_could_not_be_read_do_not_move_an_answer_elsewhere(
    responses: Responses, log2_mpp: np.ndarray
) -> None:
    radii = np.geomspace(3, 6, 10)
    values = {name: np.repeat(responses(radii, o, np.ones(len(o))), 2, axis=1) for name, o in OFFSET.items()}
    whole = search_covariant(values, log2_mpp, ruler())
    for layer in values.values():
        layer[..., :2] = np.nan
    cut = search_covariant(values, log2_mpp, ruler())
    np.testing.assert_array_equal(cut.optimal_mpp, whole.optimal_mpp)
    assert all(np.isnan(curve[:, 0]).all() for curve in cut.curves.values())


def test_a_tile_is_answered_the_same_whatever_tiles_are_beside_it(measure: Callable[..., CovariantAnswer]) -> None:
    radii = np.geomspace(1.8, 6, 12)
    together = measure(radii)
    for index in (0, 5, 11):
        alone = measure(radii[index : index + 1])
        assert alone.optimal_mpp[0] == pytest.approx(together.optimal_mpp[index], rel=1e-9)
        assert alone.confidence[0] == pytest.approx(together.confidence[index], rel=1e-9)


def peaks_of(answer: CovariantAnswer, log2_mpp: np.ndarray) -> dict[str, np.ndarray]:
    """Layer → (tile,) log2 mpp at which the drawn curve is highest."""
    return {name: log2_mpp[np.nanargmax(curve, axis=1)] for name, curve in answer.curves.items()}


def test_the_curves_peak_where_the_map_says(measure: Callable[..., CovariantAnswer], log2_mpp: np.ndarray) -> None:
    answer = measure(np.geomspace(1.8, 6, 30))
    for peaks in peaks_of(answer, log2_mpp).values():
        assert np.abs(peaks - np.log2(answer.optimal_mpp)).max() <= 1 / 3


def test_curves_of_layers_that_prefer_other_sizes_peak_at_the_same_mpp(
    responses: Responses, log2_mpp: np.ndarray
) -> None:
    offset = {"C2_2": np.full(4, -2.6), "C3_4": np.full(5, -1.4)}
    radii = np.geomspace(2.5, 6, 20)
    layers = {
        name: LayerCalibration(np.arange(len(o)), o, np.ones(len(o)), np.full(len(o), 0.05))
        for name, o in offset.items()
    }
    values = {name: responses(radii, o, np.ones(len(o))) for name, o in offset.items()}
    answer = search_covariant(values, log2_mpp, Calibration(layers))
    np.testing.assert_allclose(np.log2(answer.optimal_mpp), np.log2(radii) - 1.4, atol=0.03)
    for peaks in peaks_of(answer, log2_mpp).values():
        assert np.abs(peaks - np.log2(answer.optimal_mpp)).max() <= 1 / 3


@pytest.mark.parametrize("slope", [0.82, 1.2])
def test_the_curves_peak_where_the_map_says_whatever_the_slope(
    measure: Callable[..., CovariantAnswer], log2_mpp: np.ndarray, slope: float
) -> None:
    answer = measure(np.geomspace(1.8, 6, 30), slope)
    for peaks in peaks_of(answer, log2_mpp).values():
        assert np.abs(peaks - np.log2(answer.optimal_mpp)).max() <= 1 / 3


def test_the_curves_are_scaled_to_their_own_maximum(measure: Callable[..., CovariantAnswer]) -> None:
    answer = measure(np.geomspace(1.8, 6, 30))
    for curve in answer.curves.values():
        assert np.nanmax(curve) <= 1 + 1e-9
        assert np.nanmax(curve, axis=1).min() > 0.9


@given(
    st.lists(st.floats(-3, 3), min_size=5, max_size=40),
    st.floats(-2, 2),
    st.floats(-5, 5),
)
@settings(deadline=None)
def test_a_robust_mean_moves_with_its_values_and_lies_among_them(
    values: list[float], shift: float, outlier: float
) -> None:
    row = np.array(values)[None]
    weights = np.ones(row.shape[1])
    mean, spread = robust_mean(row, weights)
    assert row.min() - 1e-9 <= mean[0] <= row.max() + 1e-9
    assert spread[0] >= 0
    moved, same_spread = robust_mean(row + shift, weights)
    assert moved[0] == pytest.approx(mean[0] + shift, abs=1e-6)
    assert same_spread[0] == pytest.approx(spread[0], abs=1e-6)


@pytest.mark.parametrize("outlier", [3.0, -10.0, 1e6])
def test_outliers_do_not_move_a_robust_mean(outlier: float) -> None:
    rng = np.random.default_rng(0)
    clean = rng.normal(1, 0.1, (50, 30))
    weights = np.ones(30)
    expected, _ = robust_mean(clean, weights)
    spoiled = clean.copy()
    spoiled[:, :6] = outlier
    mean, _ = robust_mean(spoiled, weights)
    assert np.abs(mean - 1).max() < 0.1
    assert np.abs(mean - expected).max() < 0.1


def test_without_outliers_a_robust_mean_is_close_to_the_weighted_mean() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(1, 0.1, (200, 40)), rng.uniform(0.5, 2, 40)
    mean, spread = robust_mean(values, weights)
    np.testing.assert_allclose(mean, np.average(values, weights=weights, axis=1), atol=0.03)
    np.testing.assert_allclose(spread.mean(), 0.1, atol=0.02)


def test_values_without_an_answer_have_no_say_in_a_robust_mean() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(1, 0.1, (10, 20)), rng.uniform(0.5, 2, 20)
    with_gaps = np.concatenate([values, np.full((10, 5), np.nan)], axis=1)
    mean, spread = robust_mean(with_gaps, np.concatenate([weights, np.ones(5)]))
    expected_mean, expected_spread = robust_mean(values, weights)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-12)
    np.testing.assert_allclose(spread, expected_spread, rtol=1e-12)


def test_no_value_at_all_gives_no_robust_mean() -> None:
    values = np.array([[np.nan, np.nan], [1.0, np.nan], [2.0, 2.0]])
    mean, spread = robust_mean(values, np.ones(2))
    np.testing.assert_allclose(mean, [np.nan, 1, 2])
    np.testing.assert_allclose(spread, [np.nan, 0, 0])


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-9, 9) | st.just(np.nan))
)
def test_the_median_is_numpys(values: np.ndarray) -> None:
    values[:, 0] = 0.5  # with something in every row
    np.testing.assert_array_equal(_median(values), np.nanmedian(values, axis=1))
