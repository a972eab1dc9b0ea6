"""What an interval is calibrated on."""

import numpy as np
import pytest

from tests.planted import planted_tiles, reading_head
from wsi_scale.learning.interval_scores import error_octaves, interval_scores, out_of_fold_answers
from wsi_scale.magnification.regressor import Regressor


def test_a_slide_answers_for_itself_and_for_coarser_ones_from_the_tiles_that_those_would_show() -> None:
    regressor = Regressor.of_head(reading_head())
    slide = planted_tiles(0.5, "a", error=0.1)

    answers = out_of_fold_answers(regressor, slide)

    assert [answer["true_mpp"] for answer in answers] == [0.5, 1.0, 2.0, 4.0][: len(answers)]
    assert len(answers) >= 3
    for level, answer in enumerate(answers):
        assert answer["predicted_mpp"] == pytest.approx(0.5 * 2 ** (level + 0.1), rel=0.02)
        assert answer["tiles"] <= (slide.log2_mpp >= np.log2(0.5) + level - 1e-9).sum()


def test_a_score_is_an_answers_error_over_its_difficulty() -> None:
    answers = [
        {"true_mpp": 0.5, "predicted_mpp": 1.0, "difficulty_octaves": 0.5},
        {"true_mpp": 1.0, "predicted_mpp": 0.5, "difficulty_octaves": 0.25},
    ]
    assert [error_octaves(answer) for answer in answers] == [1.0, -1.0]
    assert interval_scores(answers).tolist() == [2.0, 4.0]
