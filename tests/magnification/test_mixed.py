"""Whether parts of one slide look as if they were scanned at different µm per pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.head import TilePredictions
from wsi_scale.magnification.mixed import COARSEST_DOWNSAMPLE, LEAST_VIEWS, MIXED_OCTAVES, why_mixed

SIDE = 6


def squares(downsamples: tuple[int, ...] = (1, 2)) -> tuple[np.ndarray, np.ndarray]:
    """Views on a square grid at each downsample: their downsamples, and their centres (view, 2) as x, y."""
    y, x = np.mgrid[:SIDE, :SIDE] * 1000.0
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    return np.repeat(downsamples, SIDE**2), np.tile(grid, (len(downsamples), 1))


def predictions(mpp: np.ndarray, downsamples: np.ndarray, noise: float = 0.0, seed: int = 0) -> TilePredictions:
    """Views that are right about the level-0 mpp of their place."""
    said = np.log2(mpp * downsamples) + np.random.default_rng(seed).normal(0, 1, len(downsamples)) * noise
    return TilePredictions(said, np.full(len(said), 0.2), np.ones(len(said)))


@pytest.mark.parametrize(
    ("axis", "mpps", "words"),
    [
        (0, (0.25, 0.5), "its left half is estimated at 0.25 µm/px and its right half is estimated at 0.5 µm/px"),
        (0, (1.0, 0.25), "its left half is estimated at 1 µm/px and its right half is estimated at 0.25 µm/px"),
        (1, (0.5, 0.25), "its top half is estimated at 0.5 µm/px and its bottom half is estimated at 0.25 µm/px"),
    ],
)
def test_halves_a_factor_of_two_apart_are_told_with_their_sides(
    axis: int, mpps: tuple[float, float], words: str
) -> None:
    downsamples, centres = squares()
    mpp = np.where(centres[:, axis] < 2500, *mpps)
    assert why_mixed(predictions(mpp, downsamples, noise=0.02), downsamples, centres) == words


@given(st.floats(0.25, 1.5), st.integers(0, 1000))
@settings(deadline=None)
def test_a_slide_of_one_magnification_is_not_mixed_however_noisy(mpp: float, seed: int) -> None:
    downsamples, centres = squares()
    assert why_mixed(predictions(np.full(len(centres), mpp), downsamples, 0.4, seed), downsamples, centres) == ""


@given(st.floats(0, 1.6))
@settings(deadline=None)
def test_it_depends_on_how_far_the_halves_are_apart(octaves: float) -> None:
    downsamples, centres = squares((1,))
    mpp = np.where(centres[:, 0] < 2500, 0.5, 0.5 * 2**octaves)
    if abs(octaves - MIXED_OCTAVES) > 1e-6:
        assert bool(why_mixed(predictions(mpp, downsamples), downsamples, centres)) == (octaves > MIXED_OCTAVES)


def test_the_split_that_shows_more_is_told() -> None:
    downsamples, centres = squares((1,))
    mpp = 0.25 * np.where(centres[:, 0] < 2500, 1, 2) * np.where(centres[:, 1] < 2500, 1, 4)
    assert why_mixed(predictions(mpp, downsamples), downsamples, centres).startswith("its top half")


def test_coarse_views_reach_too_far_to_belong_to_a_half() -> None:
    downsamples, centres = squares((2 * COARSEST_DOWNSAMPLE, 4 * COARSEST_DOWNSAMPLE))
    mpp = np.where(centres[:, 0] < 2500, 0.25, 1.0)
    assert why_mixed(predictions(mpp, downsamples), downsamples, centres) == ""


@pytest.mark.parametrize(("views", "mixed"), [(LEAST_VIEWS - 1, False), (LEAST_VIEWS, True)])
def test_too_few_views_tell_nothing(views: int, mixed: bool) -> None:
    x = np.arange(2 * views) * 100.0
    centres, downsamples = np.stack([x, 0 * x], axis=1), np.ones(len(x), int)
    said = predictions(np.where(x < x.mean(), 0.25, 1.0), downsamples)
    assert bool(why_mixed(said, downsamples, centres)) == mixed


def test_no_views_tell_nothing() -> None:
    assert why_mixed(TilePredictions.none(), np.zeros(0, int), np.zeros((0, 2))) == ""


def test_glass_on_one_side_does_not_make_a_slide_mixed() -> None:
    downsamples, centres = squares((1,))
    right = centres[:, 0] > 2500
    glass = right & (np.arange(len(right)) % 3 > 0)
    said = predictions(np.where(glass, 2.0, 0.5), downsamples)
    sure = TilePredictions(said.log2_mpp, said.spread_octaves, np.where(glass, 0.01, 1.0))
    assert why_mixed(said, downsamples, centres)
    assert why_mixed(sure, downsamples, centres) == ""
