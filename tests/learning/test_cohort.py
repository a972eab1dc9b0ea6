"""A cohort's fit, in memory."""

import logging

import pytest

from tests.planted import planted_tiles, reading_head
from wsi_scale.learning.cohort import fit_tiles, without_outliers
from wsi_scale.magnification.regressor import Regressor


def test_the_spread_of_a_cohorts_errors_becomes_its_interval() -> None:
    errors = [0.3, -0.3] * 5
    slides = [planted_tiles(0.5, f"case {number}", error) for number, error in enumerate(errors)]

    regressor, training = fit_tiles(slides, Regressor.of_head(reading_head()))

    assert training["groups"] == len(regressor.fold_of) == 10
    assert training["tiles"] == 400
    # What answers give themselves as their difficulty is their spread and little disagreement.
    difficulty = training["answers"][0]["difficulty_octaves"]
    assert regressor.half_width(difficulty, 0.8) == pytest.approx(0.3, abs=0.05)


def test_a_slide_whose_claim_stands_apart_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    slides = [planted_tiles(0.5, f"case {number}", error=1.5 * (number == 3)) for number in range(7)]
    prior, _ = fit_tiles(slides[:3], Regressor.of_head(reading_head()))
    with caplog.at_level(logging.WARNING):
        left, shared = without_outliers(slides, prior, 0.9)
    assert [slide.group for slide in left] == [f"case {number}" for number in (0, 1, 2, 4, 5, 6)]
    assert abs(shared) < 0.1
    assert "slide case 3 is not used for fitting" in caplog.text


def test_an_error_that_all_slides_share_is_the_priors_and_told_if_it_is_large(caplog: pytest.LogCaptureFixture) -> None:
    slides = [planted_tiles(0.5, f"case {number}", error=0.8 + 0.02 * number) for number in range(7)]
    prior, _ = fit_tiles(
        [planted_tiles(0.5, f"other {number}", error=0.1) for number in range(3)], Regressor.of_head(reading_head())
    )
    with caplog.at_level(logging.WARNING):
        left, shared = without_outliers(slides, prior, 0.9)
    assert left == slides
    assert shared == pytest.approx(0.8, abs=0.1)
    assert "about 1.7 times as large as they claim" in caplog.text
