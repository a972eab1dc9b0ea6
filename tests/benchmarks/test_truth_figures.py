"""The statistics of tests of truth, on made-up estimates whose figures are known."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.truth.figures import (
    Finding,
    agreement,
    confidence_figures,
    deviation,
    difference_figures,
    interval,
    planted_figures,
    read_findings,
    rounded,
    slope_figures,
    write_findings,
)

RNG = np.random.default_rng(0)
LOG2_RADIUS = np.log2(np.geomspace(1.5, 8, 200))


def test_a_perfect_ruler_has_slope_minus_one_and_no_deviation() -> None:
    figures = planted_figures(LOG2_RADIUS, 0.7 - LOG2_RADIUS)

    assert figures == {
        "slope": pytest.approx(-1),
        "slope_error": pytest.approx(0, abs=1e-6),
        "deviation_octaves": pytest.approx(0, abs=1e-9),
        "answered": 1.0,
        "tiles": 200,
    }


def test_a_constant_has_slope_zero_and_deviates_as_radii_do() -> None:
    figures = planted_figures(LOG2_RADIUS, np.zeros(200))

    assert figures["slope"] == pytest.approx(0)
    assert figures["deviation_octaves"] == pytest.approx(np.std(LOG2_RADIUS), rel=1e-3)


def test_the_standard_error_is_that_of_least_squares() -> None:
    slopes, errors = [], []
    for seed in range(300):
        noise = np.random.default_rng(seed).normal(0, 0.1, 200)
        figures = planted_figures(LOG2_RADIUS, noise - 0.8 * LOG2_RADIUS)
        slopes.append(figures["slope"])
        errors.append(figures["slope_error"])

    assert np.mean(slopes) == pytest.approx(-0.8, abs=0.003)
    assert np.mean(errors) == pytest.approx(np.std(slopes), rel=0.15)


def test_tiles_without_an_answer_count_as_such_and_as_nothing_else() -> None:
    scale = -LOG2_RADIUS
    scale[::4] = np.nan

    figures = planted_figures(LOG2_RADIUS, scale)

    assert figures["answered"] == 0.75
    assert figures["slope"] == pytest.approx(-1)


def test_an_estimator_that_never_answers_has_no_figures() -> None:
    figures = rounded(planted_figures(LOG2_RADIUS, np.full(200, np.nan)))

    assert figures == {"slope": None, "slope_error": None, "deviation_octaves": None, "answered": 0.0, "tiles": 200}


def test_one_bias_does_not_count_as_deviation() -> None:
    errors = RNG.normal(0, 0.1, 5000)

    assert deviation(errors + 3) == pytest.approx(0.1, rel=0.05)


def test_differences_are_told_by_median_and_ninetieth_percentile() -> None:
    errors = np.concatenate([RNG.permutation(np.linspace(-1, 1, 1001)), [np.nan]])

    figures = difference_figures(errors, range(1002))

    assert figures["median_octaves"] == pytest.approx(0.5, abs=0.01)
    assert figures["p90_octaves"] == pytest.approx(0.9, abs=0.01)
    assert figures["shift_octaves"] == pytest.approx(0, abs=0.01)
    assert figures["answered"] == pytest.approx(1001 / 1002)
    assert figures["median_interval"][0] < 0.5 < figures["median_interval"][1]


def test_an_interval_over_cases_is_wider_than_one_over_their_members() -> None:
    cases = np.repeat(np.arange(20), 10)
    values = RNG.normal(0, 1, 20)[cases] + RNG.normal(0, 0.1, 200)

    over_cases, over_members = (interval(lambda d: float(values[d].mean()), units) for units in (cases, range(200)))

    assert np.ptp(over_cases) > 2 * np.ptp(over_members)


def test_an_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = RNG.normal(0, 1, 400)

    low, high = interval(lambda drawn: float(values[drawn].mean()), range(400))

    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_a_constant_agrees_as_a_constant_does() -> None:
    truth = RNG.normal(1.6, 0.22, 27)

    figures = rounded(agreement(truth, np.full(27, 2.0)))

    assert figures["ratio"] == 1.0
    assert figures["ratio_interval"] == [1.0, 1.0]
    assert figures["rank_correlation"] is None
    assert figures["bias_octaves"] == pytest.approx(2.0 - truth.mean(), abs=1e-4)


def test_a_perfect_estimate_after_one_bias_leaves_nothing_of_the_constants_error() -> None:
    truth = RNG.normal(1.6, 0.22, 27)

    figures = agreement(truth, truth + 0.5)

    assert figures["ratio"] == pytest.approx(0, abs=1e-9)
    assert figures["rank_correlation"] == pytest.approx(1)
    assert figures["bias_octaves"] == pytest.approx(0.5)


def test_an_error_of_half_the_spread_has_that_ratio_within_its_interval() -> None:
    truth = RNG.normal(1.6, 0.2, 400)

    figures = agreement(truth, truth + RNG.normal(0, 0.1, 400))

    assert figures["ratio"] == pytest.approx(0.5, abs=0.06)
    assert figures["ratio_interval"][0] < 0.5 < figures["ratio_interval"][1]


def test_slopes_against_known_factors_are_those_of_each_image() -> None:
    factors = np.log2([1.0, 0.6, 1.4, 2.0])
    estimates = np.outer([0.8, 1.0, 1.0, 1.2], factors) + np.array([[3.0], [1.0], [0.0], [2.0]])
    estimates[0, 1] = np.nan

    figures = slope_figures(factors, estimates)

    assert figures["median"] == pytest.approx(1.0)
    assert figures["quartiles"] == pytest.approx([0.95, 1.05])
    assert figures["images"] == 4


def test_a_confidence_that_is_honest_orders_the_errors() -> None:
    confidence = RNG.uniform(0.1, 1, 900)
    errors = RNG.normal(0, 1, 900) * (1.1 - confidence) + 0.3

    figures = confidence_figures(confidence, errors, range(900))

    assert figures["monotone"]
    assert figures["rank_interval"][1] < 0
    assert figures["rms_by_third"][0] > 2 * figures["rms_by_third"][2]
    assert figures["confidence_by_third"] == pytest.approx([0.25, 0.55, 0.85], abs=0.03)


def test_a_confidence_that_says_nothing_has_an_interval_about_zero() -> None:
    figures = confidence_figures(RNG.uniform(size=600), RNG.normal(size=600), range(600))

    assert figures["rank_interval"][0] < 0 < figures["rank_interval"][1]


def test_a_constant_confidence_predicts_nothing() -> None:
    assert confidence_figures(np.ones(50), RNG.normal(size=50), range(50)) == {"tiles": 50}


def test_findings_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = Finding({"slope": -1.0, "rows": {"a": [None, 2]}}, {"x": np.array([0.5, np.nan])})

    write_findings(tmp_path / "kept" / "a.json", {"planted": found})
    again = read_findings(tmp_path / "kept" / "a.json")["planted"]

    assert again.figures == found.figures
    np.testing.assert_array_equal(again.points["x"], found.points["x"])
