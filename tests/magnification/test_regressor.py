"""The regressor: a head, bent as far as a cohort confirms, and its models that never saw a group."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planted import reading_head
from wsi_scale.magnification.intervals import conformal_quantile
from wsi_scale.magnification.out_of_range import OutOfRange
from wsi_scale.magnification.regressor import PENALTIES, Regressor, fit_cohort

GROUPS, TILES, FEATURES = 10, 30, 6
#: What a cohort's truth adds to the prior's answer: a shift, and a slope on each standardised feature.
SHIFT, SLOPES = 0.4, np.array([0.0, -0.2, 0.3, 0.0, 0.0, 0.1])

Cohort = tuple[np.ndarray, np.ndarray, list[str]]


def a_prior() -> Regressor:
    """A regressor that takes its first feature, standardised, for log2 mpp."""
    head = replace(reading_head(FEATURES), mean=np.arange(6.0) - 2, scale=np.array([1, 2, 0.5, 1, 1, 3]))
    return Regressor.of_head(head)


PRIOR = a_prior()


def cohort(seed: int = 0, shift: float = SHIFT, slopes: np.ndarray = SLOPES, noise: float = 0.05) -> Cohort:
    """Tiles whose log2 mpp is what the prior says, plus what it leaves over."""
    rng = np.random.default_rng(seed)
    features = rng.uniform(-1.5, 1.5, (GROUPS * TILES, FEATURES)) * PRIOR.head.scale + PRIOR.head.mean
    standard = PRIOR.head.standard(features)
    truth = PRIOR.predict_tiles(features).log2_mpp + shift + standard @ slopes + rng.normal(0, noise, len(features))
    return features, truth, [f"case {i // TILES}" for i in range(len(features))]


@functools.cache
def fitted() -> Regressor:
    """The prior, bent on the cohort."""
    return fit_cohort(PRIOR, *cohort())


def members(groups: list[str], group: str) -> np.ndarray:
    return np.array([each == group for each in groups])


def said(regressor: Regressor, features: np.ndarray, group: str | None = None) -> np.ndarray:
    return regressor.predict_tiles(features, group).log2_mpp


def test_a_head_alone_says_what_it_says_of_every_group_and_has_no_interval() -> None:
    features, _, _ = cohort()
    for group in (None, "case 0"):
        tiles, expected = PRIOR.predict_tiles(features, group), PRIOR.head.predict_tiles(features)
        np.testing.assert_array_equal(tiles.log2_mpp, expected.log2_mpp)
        np.testing.assert_array_equal(tiles.spread_octaves, expected.spread_octaves)
        np.testing.assert_array_equal(tiles.tissue, expected.tissue)
    assert np.isnan(PRIOR.half_width(0.3, 0.9))


def test_what_a_prior_leaves_over_is_found_on_tiles_that_were_not_fitted_on() -> None:
    fresh, truth, _ = cohort(1)
    assert np.abs(said(PRIOR, fresh) - truth).mean() > 0.35
    assert np.abs(said(fitted(), fresh) - truth).mean() < 0.08


def test_a_cohort_changes_neither_a_views_spread_nor_whether_it_is_tissue() -> None:
    features, _, _ = cohort()
    bent, before = fitted().predict_tiles(features), PRIOR.predict_tiles(features)
    np.testing.assert_array_equal(bent.spread_octaves, before.spread_octaves)
    np.testing.assert_array_equal(bent.tissue, before.tissue)


def ridge(features: np.ndarray, target: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Slopes and shift by the normal equations; the shift is not shrunk."""
    if np.isinf(penalty):
        return np.zeros(features.shape[1]), 0.0
    middle, mean = features.mean(axis=0), target.mean()
    x = features - middle
    slopes = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (target - mean))
    return slopes, float(mean - middle @ slopes)


def errors_by_group(regressor: Regressor, tiles: Cohort, penalty: float) -> np.ndarray:
    """Mean absolute error of every group by a ridge on the groups of other folds."""
    features, truth, groups = tiles
    standard, left = PRIOR.head.standard(features), truth - said(PRIOR, features)
    folds = np.array([regressor.fold_of[group] for group in groups])
    error = np.empty(len(left))
    for fold in np.unique(folds):
        slopes, shift = ridge(standard[folds != fold], left[folds != fold], penalty)
        away = left - (standard @ slopes + shift)
        error[folds == fold] = np.abs(away[folds == fold])
    return np.array([error[members(groups, group)].mean() for group in sorted(set(groups))])


@pytest.mark.parametrize(
    ("shift", "slopes", "noise"), [(SHIFT, SLOPES, 0.05), (0.1, 0.3 * SLOPES, 0.3), (0.0, 0 * SLOPES, 0.3)]
)
@pytest.mark.parametrize("seed", range(2))
def test_the_bend_is_the_strongest_ridge_within_one_standard_error_of_the_best(
    shift: float, slopes: np.ndarray, noise: float, seed: int
) -> None:
    tiles = cohort(seed, shift, slopes, noise)
    regressor = fit_cohort(PRIOR, *tiles)
    penalties = [np.inf, *sorted(PENALTIES, reverse=True)]
    errors = [errors_by_group(regressor, tiles, penalty) for penalty in penalties]
    best = min(errors, key=np.mean)
    allowed = best.mean() + best.std(ddof=1) / np.sqrt(GROUPS)
    chosen = next(p for p, each in zip(penalties, errors, strict=True) if each.mean() <= allowed)

    expected, offset = ridge(PRIOR.head.standard(tiles[0]), tiles[1] - said(PRIOR, tiles[0]), chosen)

    np.testing.assert_allclose(regressor.bends[0], expected, atol=1e-9)
    assert regressor.offsets[0] == pytest.approx(offset, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_cohort_that_says_nothing_new_leaves_a_prior_alone(seed: int) -> None:
    features, truth, groups = cohort(seed, shift=0.0, slopes=0 * SLOPES, noise=0.3)
    regressor = fit_cohort(PRIOR, features, truth, groups)
    np.testing.assert_array_equal(said(regressor, features), said(PRIOR, features))


def test_a_cohort_leaves_alone_what_tells_overviews() -> None:
    beyond = OutOfRange(np.ones(FEATURES), -1.0)
    assert fit_cohort(replace(PRIOR, out_of_range=beyond), *cohort()).out_of_range is beyond


def test_one_group_that_differs_is_not_followed() -> None:
    features, truth, groups = cohort(shift=0.0, slopes=0 * SLOPES)
    regressor = fit_cohort(PRIOR, features, truth + 3 * members(groups, "case 4"), groups)
    np.testing.assert_array_equal(said(regressor, features), said(PRIOR, features))


def test_every_group_has_a_model_of_its_fold_and_folds_are_even() -> None:
    regressor = fitted()
    assert set(regressor.fold_of) == {f"case {number}" for number in range(GROUPS)}
    assert [list(regressor.fold_of.values()).count(fold) for fold in range(1, 6)] == [2] * 5
    assert regressor.bends.shape == (6, FEATURES)
    assert regressor.offsets.shape == (6,)


@pytest.mark.parametrize("group", ["case 0", "case 7"])
def test_what_a_group_says_of_itself_does_not_reach_the_model_that_judges_it(group: str) -> None:
    features, truth, groups = cohort()
    before = fitted()
    after = fit_cohort(PRIOR, features, truth + 4 * members(groups, group), groups)
    assert after.fold_of == before.fold_of
    np.testing.assert_array_equal(said(after, features, group), said(before, features, group))
    assert np.abs(said(after, features) - said(before, features)).max() > 0.01


@pytest.mark.parametrize("group", ["case 0", "case 7"])
def test_how_a_group_looks_does_not_reach_the_model_that_judges_it(group: str) -> None:
    features, truth, groups = cohort()
    before = fitted()
    strange = features + np.array([0, 9.0, 5, 4, 3, 8]) * members(groups, group)[:, None]
    after = fit_cohort(PRIOR, strange, truth, groups)
    np.testing.assert_array_equal(said(after, features, group), said(before, features, group))
    assert np.abs(said(after, features) - said(before, features)).max() > 0.01


def test_a_group_that_was_never_fitted_on_is_judged_by_the_model_of_all() -> None:
    features, _, _ = cohort()
    np.testing.assert_array_equal(said(fitted(), features, "elsewhere"), said(fitted(), features))
    assert not np.array_equal(said(fitted(), features, "case 0"), said(fitted(), features))


def test_a_prior_that_was_bent_before_is_bent_on() -> None:
    features, truth, groups = cohort()
    once = fitted()
    again = fit_cohort(once, features, truth, groups)
    # It leaves nothing over but noise.
    np.testing.assert_array_equal(said(again, features), said(once, features))
    further = fit_cohort(once, features, truth + 0.5, groups)
    np.testing.assert_allclose(said(further, features), said(once, features) + 0.5, atol=0.05)


def test_fewer_groups_than_folds_make_as_many_folds_as_groups() -> None:
    features, truth, groups = cohort()
    few = np.isin(groups, ["case 0", "case 1", "case 2"])
    regressor = fit_cohort(PRIOR, features[few], truth[few], [group for group in groups if group[-1] in "012"])
    assert sorted(regressor.fold_of.values()) == [1, 2, 3]
    assert len(regressor.bends) == 4


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, truth, groups = cohort()
    features[:, 3] = np.log(1e-3)
    regressor = fit_cohort(PRIOR, features, truth, groups)
    assert np.isfinite(regressor.bends).all()
    assert np.abs(said(regressor, features) - truth).mean() < 0.08


def test_the_same_tiles_give_the_same_regressor() -> None:
    once, twice = fitted(), fit_cohort(PRIOR, *cohort())
    np.testing.assert_array_equal(once.bends, twice.bends)
    np.testing.assert_array_equal(once.offsets, twice.offsets)
    assert once.fold_of == twice.fold_of


scores_and_folds = st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3)), min_size=1, max_size=60)


@given(scores_and_folds, st.floats(0.05, 2), st.sampled_from([0.6, 0.8, 0.9]), st.integers(1, 3))
@settings(deadline=None)
def test_an_interval_comes_from_the_scores_of_other_folds_and_grows_with_the_difficulty(
    scored: list[tuple[float, int]], difficulty: float, coverage: float, own: int
) -> None:
    scores, folds = np.array([s for s, _ in scored]), np.array([f for _, f in scored])
    regressor = replace(PRIOR, scores=scores, score_folds=folds, fold_of={"mine": own})
    of_all = regressor.half_width(difficulty, coverage)
    assert of_all == pytest.approx(difficulty * conformal_quantile(scores, coverage))
    assert regressor.half_width(difficulty, coverage, "elsewhere") == of_all
    mine = regressor.half_width(difficulty, coverage, "mine")
    if (folds == own).all():
        assert np.isnan(mine)
    else:
        assert mine == pytest.approx(difficulty * conformal_quantile(scores[folds != own], coverage))
        assert regressor.half_width(2 * difficulty, coverage, "mine") == pytest.approx(2 * mine)


def test_a_wrong_header_does_not_widen_the_interval_that_it_is_judged_by() -> None:
    scores, folds = np.full(40, 0.5), np.arange(40) % 4 + 1
    honest = replace(PRIOR, scores=scores, score_folds=folds, fold_of={"liar": 2, "other": 3})
    lied = replace(honest, scores=np.where(folds == 2, 9.0, scores))
    assert lied.half_width(0.4, 0.9, "liar") == honest.half_width(0.4, 0.9, "liar")
    assert lied.half_width(0.4, 0.9, "other") > honest.half_width(0.4, 0.9, "other")
