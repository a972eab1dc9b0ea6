"""What the published search promises, case by case."""

import numpy as np
import pytest

from wsi_scale.scale.published import SIGNED_SCALES, search_published, signed_to_factor

RUNGS = np.arange(len(SIGNED_SCALES))


def peak(signed: float) -> np.ndarray:
    """A curve with one maximum, at a signed scale."""
    return np.exp(-np.square(RUNGS - SIGNED_SCALES.index(signed)) / 8)


def one_tile(*channels: np.ndarray) -> np.ndarray:
    return np.stack(channels)[None]


def test_an_inner_maximum_is_the_vote() -> None:
    answer = search_published({"C1_2": one_tile(peak(2.0))})
    assert answer.votes["C1_2"].tolist() == [2.0]
    assert answer.scale.tolist() == [2.0]


def test_an_inner_minimum_is_the_vote_where_the_maximum_is_at_an_end() -> None:
    answer = search_published({"C1_2": one_tile(2 - peak(-2.0) + RUNGS / 100)})
    assert answer.votes["C1_2"].tolist() == [-2.0]
    assert answer.scale.tolist() == [0.5]


@pytest.mark.parametrize("curve", [np.ones(21), RUNGS / 20, RUNGS[::-1] + 1.0])
def test_constant_rising_and_falling_channels_have_no_say(curve: np.ndarray) -> None:
    alone = search_published({"C1_2": one_tile(curve)})
    assert np.isnan(alone.scale).all()
    assert np.isnan(alone.curves["C1_2"]).all()
    assert alone.kept["C1_2"].tolist() == [0.0]
    with_another = search_published({"C1_2": one_tile(curve, peak(1.5))})
    assert with_another.scale.tolist() == [1.5]
    assert with_another.kept["C1_2"].tolist() == [0.5]


def test_a_falling_curve_that_reaches_a_plateau_of_zero_is_kept_and_its_mirror_is_not() -> None:
    falling = np.maximum(1 - RUNGS / 10, 0)
    assert search_published({"C1_2": one_tile(falling)}).kept["C1_2"].tolist() == [1.0]
    assert search_published({"C1_2": one_tile(falling[::-1])}).kept["C1_2"].tolist() == [0.0]


def test_loud_channels_are_not_tamed() -> None:
    answer = search_published({"C1_2": one_tile(100 * peak(3.0), peak(-2.0))})
    assert answer.votes["C1_2"].tolist() == [3.0]


def test_layers_without_a_vote_are_left_out_of_the_mean() -> None:
    answer = search_published({"C1_2": one_tile(peak(2.0)), "C2_2": one_tile(np.ones(21)), "C3_4": one_tile(peak(3.0))})
    assert np.isnan(answer.votes["C2_2"]).all()
    assert answer.scale.tolist() == [2.5]


def test_channels_that_rise_or_fall_throughout_point_beyond_the_grid_and_constant_ones_nowhere() -> None:
    for curve, beyond in ((RUNGS / 20, True), (RUNGS[::-1] + 1.0, True), (np.ones(21), False), (peak(2.0), False)):
        assert search_published({"C1_2": one_tile(curve)}).beyond_ladder.tolist() == [beyond]


def test_no_vote_at_all_is_no_answer() -> None:
    assert np.isnan(search_published({"C1_2": one_tile(np.ones(21)), "C2_2": one_tile(np.zeros(21))}).scale).all()


def test_votes_that_meet_in_the_hole_of_the_axis_mean_the_original() -> None:
    answer = search_published({"C1_2": one_tile(peak(0.0)), "C2_2": one_tile(peak(1.25))})
    assert answer.scale.tolist() == [1.0]
    answer = search_published({"C1_2": one_tile(peak(-2.0)), "C2_2": one_tile(peak(1.25))})
    assert answer.scale.tolist() == [1.0]


def test_a_signed_scale_is_read_as_a_factor() -> None:
    signed = np.array([4.0, 1.0, 0.99, 0.0, -0.99, -1.0, -1.25, -3.0, np.nan])
    np.testing.assert_allclose(signed_to_factor(signed), [4, 1, 1, 1, 1, 1, 0.8, 1 / 3, np.nan])


def test_tiles_do_not_disturb_each_other() -> None:
    together = {"C1_2": np.concatenate([one_tile(peak(2.0)), one_tile(np.ones(21)), one_tile(peak(-2.5))])}
    np.testing.assert_allclose(search_published(together).scale, [2.0, np.nan, 0.4])
