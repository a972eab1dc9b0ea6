"""From views at several downsamples to one estimate for level 0."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.head import TilePredictions
from wsi_scale.magnification.pooling import (
    ANSWERED_MPP,
    COARSE_MARGIN,
    LEAST_SPREAD_OCTAVES,
    LEAST_TISSUE,
    MAX_DISAGREEMENT_OCTAVES,
    TRUSTED_MPP,
    Pooled,
    pool_views,
    weighted_median,
    why_abstain,
    why_uncertain,
)

DOWNSAMPLES = np.repeat([1, 2, 4, 8], 6)


def predictions(
    log2_mpp: np.ndarray, spread: float | np.ndarray = 0.2, tissue: float | np.ndarray = 1.0
) -> TilePredictions:
    return TilePredictions(log2_mpp, np.broadcast_to(spread, log2_mpp.shape), np.broadcast_to(tissue, log2_mpp.shape))


def views(mpp: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """log2 mpp that the views of a slide say of themselves."""
    own = np.log2(mpp * DOWNSAMPLES)
    return own + np.random.default_rng(seed).normal(0, 1, len(own)) * noise


#: Values (all different) with weights.
weighted = st.lists(
    st.tuples(st.integers(-3000, 4000).map(lambda value: value / 1000), st.floats(0.05, 100)),
    min_size=1, max_size=30, unique_by=lambda pair: pair[0],
)  # fmt: skip


def by_bisection(values: np.ndarray, weights: np.ndarray) -> float:
    """Where half of the weight lies below: each value has half of its own below it, and it grows evenly between."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    places = [float(values[index]) for index in order]
    below = [sum(weights[i] for i in order[:k]) + weights[order[k]] / 2 for k in range(len(order))]
    half = sum(weights) / 2
    if half <= below[0]:
        return places[0]
    for k in range(1, len(places)):
        if half <= below[k]:
            return places[k - 1] + (half - below[k - 1]) / (below[k] - below[k - 1]) * (places[k] - places[k - 1])
    return places[-1]


@given(weighted)
@settings(deadline=None)
def test_a_weighted_median_is_what_a_search_from_the_left_finds(pairs: list[tuple[float, float]]) -> None:
    values, weights = (np.array(each) for each in zip(*pairs, strict=True))
    assert weighted_median(values, weights) == pytest.approx(by_bisection(values, weights), abs=1e-9)


@given(weighted)
@settings(deadline=None)
def test_it_lies_beside_the_value_with_the_least_weighted_distance_to_all(pairs: list[tuple[float, float]]) -> None:
    pairs = sorted(pairs)
    values, weights = (np.array(each) for each in zip(*pairs, strict=True))
    costs = [float(weights @ np.abs(values - value)) for value in values]
    best = np.flatnonzero(np.array(costs) <= min(costs) + 1e-9)
    found = weighted_median(values, weights)
    assert values[max(best[0] - 1, 0)] - 1e-9 <= found <= values[min(best[-1] + 1, len(values) - 1)] + 1e-9


@given(st.lists(st.floats(-3, 4), min_size=1, max_size=30), st.floats(0.1, 10))
@settings(deadline=None)
def test_of_equal_weights_it_is_the_median(values: list[float], weight: float) -> None:
    found = weighted_median(np.array(values), np.full(len(values), weight))
    assert found == pytest.approx(np.median(values), abs=1e-9)


@given(weighted, st.floats(-5, 5), st.floats(0.1, 10))
@settings(deadline=None)
def test_it_moves_with_the_values_and_not_with_the_weights_unit(
    pairs: list[tuple[float, float]], shift: float, unit: float
) -> None:
    values, weights = (np.array(each) for each in zip(*pairs, strict=True))
    expected = weighted_median(values, weights) + shift
    assert weighted_median(values + shift, unit * weights) == pytest.approx(expected, abs=1e-9)


def test_of_nothing_it_is_nothing_and_without_any_weight_it_is_the_median() -> None:
    assert np.isnan(weighted_median(np.zeros(0), np.zeros(0)))
    assert weighted_median(np.array([1.0, 5.0, 3.0]), np.zeros(3)) == 3


@given(st.floats(0.2, 4))
@settings(deadline=None)
def test_views_that_are_right_give_level_0(mpp: float) -> None:
    pooled = pool_views(predictions(views(mpp)), DOWNSAMPLES)
    assert 2**pooled.log2_mpp == pytest.approx(mpp)
    assert pooled.disagreement_octaves == pytest.approx(0, abs=1e-9)
    assert why_abstain(pooled) == ""


def test_it_is_the_weighted_median_over_the_downsamples_that_can_be_told() -> None:
    rng = np.random.default_rng(0)
    said = predictions(views(0.9, noise=0.2), rng.uniform(0.1, 0.8, 24), rng.uniform(0.3, 1, 24))
    pooled = pool_views(said, DOWNSAMPLES)
    # At downsample 8 the slide is seen at 7.2 µm/px.
    kept = DOWNSAMPLES < 8
    weights = said.tissue / (said.spread_octaves**2 + LEAST_SPREAD_OCTAVES**2)
    level0 = said.log2_mpp - np.log2(DOWNSAMPLES)
    assert pooled.log2_mpp == pytest.approx(weighted_median(level0[kept], weights[kept]))
    assert pooled.views == kept.sum()
    assert pooled.tissue == pytest.approx(said.tissue[kept].mean())
    for downsample, median in pooled.by_downsample.items():
        mine = downsample == DOWNSAMPLES
        assert median == pytest.approx(weighted_median(level0[mine], weights[mine]))


def test_few_views_that_are_sure_outweigh_many_that_are_not() -> None:
    said, spread = views(0.5), np.full(24, 1.5)
    vague = np.arange(24) % 3 > 0
    said[vague] += 0.7
    spread[~vague] = 0.1
    assert pool_views(predictions(said, spread), DOWNSAMPLES).log2_mpp == pytest.approx(-1, abs=0.02)
    assert pool_views(predictions(said), DOWNSAMPLES).log2_mpp == pytest.approx(-0.3, abs=0.02)


def test_few_views_of_tissue_outweigh_many_of_glass() -> None:
    said, tissue = views(0.5), np.full(24, 1.0)
    glass = np.arange(24) % 3 > 0
    said[glass] += 0.7
    tissue[glass] = 0.01
    assert pool_views(predictions(said, tissue=tissue), DOWNSAMPLES).log2_mpp == pytest.approx(-1, abs=0.02)


@pytest.mark.parametrize(("mpp", "downsample", "pulled_to"), [(1.0, 8, 4.0), (0.75, 8, 3.3), (0.13, 1, 0.22)])
def test_views_outside_the_range_that_can_be_told_have_no_say(mpp: float, downsample: int, pulled_to: float) -> None:
    said = views(mpp)
    said[downsample == DOWNSAMPLES] = np.log2(pulled_to)
    pooled = pool_views(predictions(said), DOWNSAMPLES)
    assert 2**pooled.log2_mpp == pytest.approx(mpp)
    assert set(pooled.by_downsample) == {1, 2, 4, 8} - {downsample}
    assert pooled.views == 18


def test_a_view_at_the_end_of_the_range_is_inside() -> None:
    assert TRUSTED_MPP == (0.2, 4.0)
    assert set(pool_views(predictions(views(0.499)), DOWNSAMPLES).by_downsample) == {1, 2, 4, 8}
    assert set(pool_views(predictions(views(0.502)), DOWNSAMPLES).by_downsample) == {1, 2, 4}
    assert set(pool_views(predictions(views(0.201)), DOWNSAMPLES).by_downsample) == {1, 2, 4, 8}
    assert set(pool_views(predictions(views(0.199)), DOWNSAMPLES).by_downsample) == {2, 4, 8}


def test_where_no_view_can_be_trusted_all_have_their_say() -> None:
    pooled = pool_views(predictions(np.log2(np.full(4, 9.0))), np.array([1, 1, 1, 1]))
    assert 2**pooled.log2_mpp == pytest.approx(9)
    assert pooled.views == 4


def off_by(octaves: dict[int, float], downsamples: np.ndarray = DOWNSAMPLES) -> Pooled:
    """Views of a slide at 0.25 µm/px, each sure to 0.3 octave, some downsamples off."""
    said = -2 + np.log2(downsamples) + np.array([octaves.get(d, 0.0) for d in downsamples.tolist()])
    return pool_views(predictions(said, 0.3), downsamples)


def test_disagreement_is_the_range_of_the_medians_of_the_downsamples() -> None:
    said = views(0.25)
    said[DOWNSAMPLES == 2] += 0.3
    said[DOWNSAMPLES == 4] -= 0.2
    said[DOWNSAMPLES == 8] -= 0.1
    said[0] += 0.9
    pooled = pool_views(predictions(said), DOWNSAMPLES)
    assert pooled.by_downsample == {d: pytest.approx(v) for d, v in {1: -2.0, 2: -1.7, 4: -2.2, 8: -2.1}.items()}
    assert pooled.log2_mpp == pytest.approx(-2.05)
    # All but the one at −1.7, which is farthest from the estimate.
    assert pooled.disagreement_octaves == pytest.approx(0.2)


@pytest.mark.parametrize("downsample", [1, 2, 4, 8])
@pytest.mark.parametrize("octaves", [3.0, -1.2])
def test_one_downsample_that_stands_apart_neither_moves_nor_stops_an_estimate(downsample: int, octaves: float) -> None:
    pooled = off_by({downsample: octaves})
    assert pooled.log2_mpp == pytest.approx(-2)
    assert pooled.disagreement_octaves == pytest.approx(0, abs=1e-9)
    assert why_abstain(pooled) == ""


def test_two_that_stand_apart_do() -> None:
    assert off_by({1: 1.2, 8: -1.2}).disagreement_octaves == pytest.approx(1.2)
    assert "disagree by 1.2 octaves" in why_abstain(off_by({1: 1.2, 2: 1.2}))


def test_of_two_downsamples_both_count() -> None:
    assert off_by({2: 0.9}, np.repeat([1, 2], 6)).disagreement_octaves == pytest.approx(0.9)
    assert off_by({2: 0.9}, np.repeat([1, 2, 4], 6)).disagreement_octaves == pytest.approx(0, abs=1e-9)


def test_difficulty_is_what_views_say_of_themselves_and_how_they_disagree() -> None:
    assert off_by({}).difficulty_octaves == pytest.approx(0.3)
    assert off_by({1: 0.4, 2: 0.4}).difficulty_octaves == pytest.approx(0.5)


def test_of_views_that_differ_the_sure_ones_decide_on_the_difficulty() -> None:
    spread = np.where(np.arange(24) % 2, 0.2, 1.0)
    weights = 1 / (spread**2 + LEAST_SPREAD_OCTAVES**2)
    expected = np.sqrt((weights * spread**2).sum() / weights.sum())
    assert pool_views(predictions(views(0.25), spread), DOWNSAMPLES).difficulty_octaves == pytest.approx(expected)
    assert expected < 0.3


def test_a_downsample_that_is_no_power_of_two_is_counted_with_the_nearest() -> None:
    pyramid = np.repeat([1, 2.03, 3.97], 4)
    pooled = pool_views(predictions(np.log2(0.5 * pyramid)), pyramid)
    assert pooled.by_downsample == {1: pytest.approx(-1), 2: pytest.approx(-1), 4: pytest.approx(-1)}


def test_no_views_at_all_are_no_basis() -> None:
    pooled = pool_views(TilePredictions.none(), np.zeros(0, np.int64))
    assert np.isnan(pooled.log2_mpp)
    assert (pooled.views, pooled.by_downsample) == (0, {})
    assert why_abstain(pooled) == "no tissue found"


@given(st.permutations(range(24)), st.integers(0, 1000))
@settings(deadline=None)
def test_the_order_of_views_plays_no_part(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread, tissue = rng.uniform(0.05, 1, 24), rng.uniform(0, 1, 24)
    said = predictions(views(0.4, noise=0.4, seed=seed), spread, tissue)
    shuffled = TilePredictions(said.log2_mpp[order], spread[order], tissue[order])
    once, again = pool_views(said, DOWNSAMPLES), pool_views(shuffled, DOWNSAMPLES[order])
    assert once.log2_mpp == pytest.approx(again.log2_mpp)
    assert once.difficulty_octaves == pytest.approx(again.difficulty_octaves)
    assert once.by_downsample == {key: pytest.approx(value) for key, value in again.by_downsample.items()}


def pooled_at(log2_mpp: float, *, disagreement: float = 0.1, tissue: float = 1.0) -> Pooled:
    return Pooled(log2_mpp, 0.2, disagreement, tissue, {1: log2_mpp}, 20)


@pytest.mark.parametrize("mpp", [0.066, 0.15, 4.3, 14.0])
def test_a_slide_outside_the_range_that_can_be_told_gets_no_estimate(mpp: float) -> None:
    reason = why_abstain(pooled_at(np.log2(mpp)))
    assert "outside" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("mpp", [ANSWERED_MPP[0], 0.25, 1.0, ANSWERED_MPP[1]])
def test_a_slide_inside_it_does(mpp: float) -> None:
    assert why_abstain(pooled_at(np.log2(mpp))) == ""


def test_views_that_disagree_are_no_basis() -> None:
    assert "disagree by 0.9 octaves" in why_abstain(pooled_at(-1.0, disagreement=MAX_DISAGREEMENT_OCTAVES + 0.1))
    assert why_abstain(pooled_at(-1.0, disagreement=MAX_DISAGREEMENT_OCTAVES - 0.01)) == ""


def test_what_does_not_look_like_tissue_is_no_basis() -> None:
    reason = why_abstain(pooled_at(-1.0, tissue=LEAST_TISSUE - 0.1))
    assert reason == "does not look like brightfield tissue (probability of tissue 40%)"
    assert why_abstain(pooled_at(-1.0, tissue=LEAST_TISSUE + 0.01)) == ""


def test_an_interval_too_wide_to_tell_20x_from_40x_is_no_answer() -> None:
    assert why_uncertain(pooled_at(0.0), 0.99) == ""
    assert (
        why_uncertain(pooled_at(0.0), 1.5)
        == "the estimate is too uncertain (0.35–2.8 µm/px): out of the training distribution"
    )


def test_the_nearer_to_the_coarse_end_the_surer_an_estimate_must_be() -> None:
    mpp = 3.5
    room = np.log2(ANSWERED_MPP[1] / mpp) / COARSE_MARGIN
    assert why_uncertain(pooled_at(np.log2(mpp)), room - 0.01) == ""
    assert why_uncertain(pooled_at(np.log2(mpp)), room + 0.01).startswith(
        "estimated from pixels: 3.5 µm/px, too close to 4.0"
    )
    assert why_uncertain(pooled_at(np.log2(ANSWERED_MPP[0])), 0.99) == ""
