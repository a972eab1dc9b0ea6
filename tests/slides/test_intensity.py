"""16-bit intensities become 8-bit ones by one rule, whatever is read first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.slides.intensity import significant_bits, straight_colour, to_eight_bits


@given(st.integers(0, 65535))
def test_the_largest_value_fills_the_eight_bits_it_needs(largest: int) -> None:
    bits = significant_bits(largest)
    assert 8 <= bits <= 16
    assert largest < 1 << bits
    top = int(to_eight_bits(np.array([largest], np.uint16), bits)[0])
    assert top == largest if bits == 8 else top >= 128


@given(st.integers(8, 16), st.lists(st.integers(0, 65535), min_size=2))
def test_more_light_is_never_less_and_never_wraps_round(bits: int, values: list[int]) -> None:
    eight = to_eight_bits(np.array(sorted(values), np.uint16), bits)
    assert (np.diff(eight.astype(int)) >= 0).all()
    assert (eight[np.array(sorted(values)) >= 1 << bits] == 255).all()


@given(st.integers(0, 255), st.integers(1, 255))
def test_dividing_the_alpha_out_undoes_multiplying_it_in(value: int, alpha: int) -> None:
    colour = np.full((1, 1, 3), value, np.uint8)
    opacity = np.full((1, 1, 1), alpha, np.uint8)
    multiplied = np.round(colour * (alpha / 255)).astype(np.uint8)
    back = straight_colour(multiplied, opacity)
    # Half a step of what was multiplied is up to 255 / (2 · alpha) steps of what it was.
    assert np.abs(back.astype(int) - value).max() <= 0.5 + 255 / (2 * alpha)


def test_what_is_transparent_is_black() -> None:
    colour, alpha = np.full((1, 1, 3), 90, np.uint8), np.zeros((1, 1, 1), np.uint8)
    assert not straight_colour(colour, alpha).any()
