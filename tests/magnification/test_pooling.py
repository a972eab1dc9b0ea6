"""From views at several downsamples to one estimate for level 0."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.pooling import (
    ANSWERED_MPP,
    MAX_DISAGREEMENT_OCTAVES,
    TRUSTED_MPP,
    Pooled,
    pool_views,
    why_abstain,
)

DOWNSAMPLES = np.repeat([1, 2, 4, 8], 6)


def views(mpp: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """log2 mpp that the views of a slide say of themselves."""
    own = np.log2(mpp * DOWNSAMPLES)
    return own + np.random.default_rng(seed).normal(0, 1, len(own)) * noise


@given(st.floats(0.2, 4))
@settings(deadline=None)
def test_views_that_are_right_give_level_0(mpp: float) -> None:
    pooled = pool_views(views(mpp), DOWNSAMPLES)
    assert 2**pooled.log2_mpp == pytest.approx(mpp)
    assert pooled.disagreement_octaves == pytest.approx(0, abs=1e-9)
    assert why_abstain(pooled) == ""


def test_it_is_the_median_over_the_views_that_are_trusted() -> None:
    said = views(0.5, noise=0.3)
    trusted = (said >= np.log2(TRUSTED_MPP[0])) & (said <= np.log2(TRUSTED_MPP[1]))
    assert 0 < trusted.sum() < len(said)
    pooled = pool_views(said, DOWNSAMPLES)
    assert pooled.log2_mpp == pytest.approx(np.median((said - np.log2(DOWNSAMPLES))[trusted]))
    assert pooled.views == trusted.sum()


def test_views_that_are_pulled_inwards_at_the_end_of_the_range_have_no_say() -> None:
    said = views(0.5)
    # At downsample 8 a view is of 4 µm/px, and a regressor that ends there says less.
    said[DOWNSAMPLES == 8] = np.log2(3.3)
    pooled = pool_views(said, DOWNSAMPLES)
    assert 2**pooled.log2_mpp == pytest.approx(0.5)
    assert set(pooled.by_downsample) == {1, 2, 4}


def test_where_no_view_is_trusted_all_have_their_say() -> None:
    said = np.log2(np.full(4, 9.0))
    pooled = pool_views(said, np.array([1, 1, 1, 1]))
    assert 2**pooled.log2_mpp == pytest.approx(9)
    assert pooled.views == 4


def test_disagreement_is_the_range_of_the_medians_of_the_downsamples() -> None:
    said = views(0.25)
    said[DOWNSAMPLES == 2] += 0.3
    said[DOWNSAMPLES == 4] -= 0.2
    said[0] += 0.9
    pooled = pool_views(said, DOWNSAMPLES)
    assert pooled.by_downsample == {d: pytest.approx(v) for d, v in {1: -2.0, 2: -1.7, 4: -2.2, 8: -2.0}.items()}
    assert pooled.disagreement_octaves == pytest.approx(0.5)


def test_no_views_at_all_are_no_basis() -> None:
    pooled = pool_views(np.zeros(0), np.zeros(0, np.int64))
    assert np.isnan(pooled.log2_mpp)
    assert pooled.views == 0
    assert why_abstain(pooled) == "no tissue to look at"


@given(st.permutations(range(24)), st.integers(0, 1000))
@settings(deadline=None)
def test_the_order_of_views_plays_no_part(order: list[int], seed: int) -> None:
    said = views(0.4, noise=0.4, seed=seed)
    once, again = pool_views(said, DOWNSAMPLES), pool_views(said[order], DOWNSAMPLES[order])
    assert once.log2_mpp == pytest.approx(again.log2_mpp)
    assert once.by_downsample == {key: pytest.approx(value) for key, value in again.by_downsample.items()}


@pytest.mark.parametrize("mpp", [0.066, 0.15, 4.3, 14.0])
def test_a_slide_outside_the_range_that_can_be_told_gets_no_estimate(mpp: float) -> None:
    reason = why_abstain(Pooled(np.log2(mpp), 0.1, {1: np.log2(mpp)}, 20))
    assert "outside" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("mpp", [ANSWERED_MPP[0], 0.25, 1.0, ANSWERED_MPP[1]])
def test_a_slide_inside_it_does(mpp: float) -> None:
    assert why_abstain(Pooled(np.log2(mpp), 0.1, {1: np.log2(mpp)}, 20)) == ""


def test_views_that_disagree_are_no_basis() -> None:
    reason = why_abstain(Pooled(-1.0, MAX_DISAGREEMENT_OCTAVES + 0.1, {1: -1.5, 2: -0.6}, 20))
    assert "disagree by 0.9 octaves" in reason
