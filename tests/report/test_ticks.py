import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.report.ticks import linear_ticks, log_ticks, short

#: The legend of a narrow map and its labels: pixels, and those of a digit or point of 12 px.
LEGEND_PX, DIGIT_PX, POINT_PX = 160, 6.7, 3.4


@given(st.floats(0.15, 20.0), st.floats(0.33, 2.0))
def test_labels_on_a_short_axis_do_not_touch_and_are_told_apart(low: float, octaves: float) -> None:
    ticks = log_ticks(low, low * 2**octaves)
    labels = [short(tick) for tick in ticks]
    assert len(set(labels)) == len(labels) >= 2
    widths = [DIGIT_PX * sum(map(str.isdigit, label)) + POINT_PX * label.count(".") for label in labels]
    places = [LEGEND_PX * math.log2(tick / low) / octaves for tick in ticks]
    for (place, width), (next_place, next_width) in pairwise(zip(places, widths, strict=True)):
        assert next_place - place >= (width + next_width) / 2


@given(st.floats(0.01, 100.0), st.floats(0.3, 9.0))
def test_logarithmic_ticks_are_few_rising_and_on_the_axis(low: float, octaves: float) -> None:
    high = low * 2**octaves
    ticks = log_ticks(low, high)
    assert 1 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)


@given(st.floats(1e-3, 1e4))
def test_linear_ticks_start_at_zero_and_are_evenly_spaced(length: float) -> None:
    ticks = linear_ticks(length)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 8
    assert ticks[-1] <= length * 1.001
    assert all(math.isclose(b - a, ticks[1], rel_tol=1e-4) for a, b in pairwise(ticks))


def test_labels_have_no_trailing_zeros() -> None:
    assert [short(value) for value in (0.25, 1.0, 1.5, 20.0, 1500.0)] == ["0.25", "1", "1.5", "20", "1500"]
