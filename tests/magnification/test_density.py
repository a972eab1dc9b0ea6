"""One optical density for all tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.density import LEVEL, PERCENTILE, normalise_density


def tissue(factor: float, seed: int = 0) -> np.ndarray:
    """(1, 64, 64, rgb) of densities drawn once for each seed and multiplied by a factor."""
    density = np.random.default_rng(seed).gamma(2.0, 0.15, (1, 64, 64, 3))
    return np.clip(256 * np.exp(-factor * density) - 1, 0, 255).round().astype(np.uint8)


def dense(tiles: np.ndarray) -> float:
    """Density of the denser tissue."""
    return float(np.percentile(-np.log((tiles.astype(float) + 1) / 256).mean(axis=3), PERCENTILE))


@given(st.floats(0.5, 2.0), st.integers(0, 50))
@settings(deadline=None, max_examples=30)
def test_a_stronger_stain_or_another_tone_curve_makes_no_difference(factor: float, seed: int) -> None:
    plain, other = (normalise_density(tissue(f, seed)).astype(float) for f in (1.0, factor))
    # Both were rounded to eight bits before.
    assert np.abs(plain - other).mean() < 4


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_denser_tissue_is_as_dense_as_it_should_be(factor: float) -> None:
    assert dense(normalise_density(tissue(factor))) == pytest.approx(LEVEL, rel=0.05)


def test_each_tile_is_levelled_by_itself() -> None:
    pale, dark = tissue(0.5), tissue(2.0, seed=1)
    both = normalise_density(np.concatenate([pale, dark]))
    np.testing.assert_array_equal(both[:1], normalise_density(pale))
    np.testing.assert_array_equal(both[1:], normalise_density(dark))


def test_glass_stays_glass() -> None:
    glass = np.full((1, 32, 32, 3), 244, np.uint8)
    glass[0, 3, 4] = 231
    assert normalise_density(glass).min() > 150


def test_white_black_and_nothing_are_taken_as_they_are() -> None:
    assert normalise_density(np.full((2, 16, 16, 3), 255, np.uint8)).min() == 255
    assert normalise_density(np.zeros((1, 16, 16, 3), np.uint8)).shape == (1, 16, 16, 3)
    assert normalise_density(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 16, 16, 3)
