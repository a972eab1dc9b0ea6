"""Values as colours: equal ratios of mpp are equal steps, and what has no value has no colour."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.report.colors import CONFIDENCE_SCALE, mpp_scale

VALUES = np.array([[0.25, 0.5], [1.0, np.nan]], np.float32)


def test_tiles_without_an_answer_are_transparent_and_others_opaque() -> None:
    painted = mpp_scale(VALUES).paint(VALUES)
    assert painted[..., 3].tolist() == [[255, 255], [255, 0]]


def test_equal_ratios_of_mpp_are_equal_steps_of_colour() -> None:
    scale = mpp_scale(VALUES)
    low, middle, high = scale.places(np.array([scale.low, np.sqrt(scale.low * scale.high), scale.high]))
    assert [low, middle, high] == pytest.approx([0.0, 0.5, 1.0])


def test_the_legend_spans_an_octave_even_where_all_tiles_agree() -> None:
    scale = mpp_scale(np.full((3, 3), 0.5))
    assert scale.high / scale.low == pytest.approx(2.0)
    assert np.sqrt(scale.high * scale.low) == pytest.approx(0.5)


def test_a_legend_has_ticks_within_its_ends() -> None:
    for scale in (mpp_scale(VALUES), mpp_scale(np.array([0.0633])), CONFIDENCE_SCALE):
        assert scale.ticks()
        assert all(0 <= place <= 1 for place, _ in scale.ticks())


def test_radii_stand_beside_the_optimal_mpp_that_they_have() -> None:
    scale = mpp_scale(VALUES, mpp_per_um=0.2)
    assert scale.radius_ticks()
    for place, text in scale.radius_ticks():
        assert place == pytest.approx(float(scale.places(np.array(float(text) * 0.2))), abs=1e-6)
        assert 0 <= place <= 1
    assert mpp_scale(VALUES).radius_ticks() == CONFIDENCE_SCALE.radius_ticks() == []


@given(st.lists(st.floats(0.06, 40), min_size=1, max_size=30))
def test_colours_follow_the_order_of_the_values_and_end_where_the_legend_does(values: list[float]) -> None:
    scale = mpp_scale(np.array(values))
    places = scale.places(np.array(sorted(values)))
    assert (np.diff(places) >= 0).all()
    assert places.min() >= 0
    assert places.max() <= 1
    assert scale.high / scale.low >= 2 - 1e-9


def test_a_few_outliers_do_not_stretch_the_legend() -> None:
    values = np.full(1000, 0.5)
    values[:5], values[5:10] = 0.06, 40.0
    scale = mpp_scale(values)
    assert scale.high / scale.low == pytest.approx(2.0)
    painted = scale.paint(values)
    assert painted[:5].tolist() == [painted[0].tolist()] * 5
    assert not np.array_equal(painted[0], painted[500])
