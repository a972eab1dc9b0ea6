"""The regressor, and its models that never saw a group."""

import numpy as np
from sklearn.linear_model import Ridge

from wsi_scale.magnification.regressor import PENALTIES, Regressor, fit_regressor

GROUPS, TILES, FEATURES = 10, 30, 6


def cohort(seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Tiles whose log2 mpp is a plain sum of features, with a little noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (GROUPS * TILES, FEATURES)) * np.array([1, 2, 0.5, 1, 1, 3]) + 4
    truth = features @ np.array([0.5, -0.2, 0.8, 0, 0, 0.1]) + rng.normal(0, 0.05, len(features))
    return features, truth, [f"case {i // TILES}" for i in range(len(features))]


def members(groups: list[str], group: str) -> np.ndarray:
    return np.array([each == group for each in groups])


def test_a_linear_truth_is_found() -> None:
    features, truth, groups = cohort()
    fresh, fresh_truth, _ = cohort(1)
    regressor = fit_regressor(features, truth, groups)
    assert np.abs(regressor.predict(fresh) - fresh_truth).mean() < 0.06


def test_it_is_a_ridge_on_standardised_features() -> None:
    features, truth, groups = cohort()
    regressor = fit_regressor(features, truth, groups)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    fits = [Ridge(alpha).fit(standard, truth).predict(standard) for alpha in PENALTIES]
    distance = [np.abs(regressor.predict(features) - fit).max() for fit in fits]
    assert min(distance) < 1e-9


def test_every_group_has_a_model_of_its_fold_and_folds_are_even() -> None:
    features, truth, groups = cohort()
    regressor = fit_regressor(features, truth, groups)
    assert set(regressor.fold_of) == set(groups)
    counts = [list(regressor.fold_of.values()).count(fold) for fold in range(1, 6)]
    assert counts == [2] * 5
    assert regressor.weights.shape == (6, FEATURES)
    assert regressor.intercepts.shape == (6,)


def strange_cohort() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """As a cohort, but every group has a mark of its own and a truth that is shifted by its own amount."""
    features, truth, groups = cohort()
    labels = np.array(groups)
    marks = np.stack([(labels == group) * 5.0 for group in sorted(set(groups))], axis=1)
    shift = np.array([1.5, -1.5] * (GROUPS // 2))[np.array([int(group.split()[1]) for group in groups])]
    return np.concatenate([features, marks], axis=1), truth + shift, groups


def test_a_model_that_saw_a_group_knows_its_quirk_and_the_one_that_judges_it_does_not() -> None:
    features, truth, groups = strange_cohort()
    regressor = fit_regressor(features, truth, groups)
    for group in set(groups):
        mine = members(groups, group)
        by_all = np.abs(np.median(regressor.predict(features[mine]) - truth[mine]))
        by_its_own = np.abs(np.median(regressor.predict(features[mine], group) - truth[mine]))
        assert by_all < 0.3
        assert by_its_own > 1


def test_what_a_group_says_of_itself_does_not_reach_the_model_that_judges_it() -> None:
    features, truth, groups = cohort()
    before = fit_regressor(features, truth, groups)
    for group in ("case 0", "case 7"):
        lied = truth + 4 * members(groups, group)
        after = fit_regressor(features, lied, groups)
        assert after.fold_of == before.fold_of
        np.testing.assert_array_equal(after.predict(features, group), before.predict(features, group))
        assert np.abs(after.predict(features) - before.predict(features)).max() > 0.01


def a_prior() -> Regressor:
    """A regressor of other slides, whose truth is 0.4 octaves higher."""
    features, truth, groups = cohort(5)
    return fit_regressor(features, truth + 0.4, groups, folds=1)


def test_how_a_group_looks_does_not_reach_the_model_that_judges_it() -> None:
    features, truth, groups = cohort()
    before = fit_regressor(features, truth, groups, prior=a_prior())
    for group in ("case 0", "case 7"):
        strange = features + 3.0 * members(groups, group)[:, None]
        after = fit_regressor(strange, truth, groups, prior=a_prior())
        np.testing.assert_array_equal(after.predict(features, group), before.predict(features, group))
        assert np.abs(after.predict(features) - before.predict(features)).max() > 0.01


def test_a_prior_is_bent_by_a_ridge_on_what_it_leaves_over() -> None:
    features, truth, groups = cohort()
    prior = a_prior()
    regressor = fit_regressor(features, truth, groups, prior=prior)
    standard = (features - prior.mean) / prior.scale
    left = truth - prior.predict(features)
    fits = [prior.predict(features) + Ridge(alpha).fit(standard, left).predict(standard) for alpha in PENALTIES]
    assert min(np.abs(regressor.predict(features) - fit).max() for fit in fits) < 1e-9


def test_a_cohort_that_agrees_among_itself_moves_a_prior_that_is_off() -> None:
    features, truth, groups = cohort()
    prior = a_prior()
    regressor = fit_regressor(features, truth, groups, prior=prior)
    assert np.abs(prior.predict(features) - truth).mean() > 0.35
    for group in set(groups):
        mine = members(groups, group)
        assert np.abs(regressor.predict(features[mine], group) - truth[mine]).mean() < 0.06


def test_a_cohort_that_says_nothing_new_leaves_the_slopes_of_a_prior_almost_alone() -> None:
    features, truth, groups = cohort()
    prior = a_prior()
    noise = np.random.default_rng(1).normal(0, 0.3, len(truth))
    bent = fit_regressor(features, prior.predict(features) + noise, groups, prior=prior)
    free = fit_regressor(features, prior.predict(features) + noise, groups)
    away, away_free = (np.abs(each.predict(features) - prior.predict(features)).mean() for each in (bent, free))
    assert away < 0.05
    assert away <= away_free * 1.01


def test_a_group_that_was_never_fitted_on_is_judged_by_the_model_of_all() -> None:
    features, truth, groups = cohort()
    regressor = fit_regressor(features, truth, groups)
    np.testing.assert_array_equal(regressor.predict(features, "elsewhere"), regressor.predict(features))
    assert not np.array_equal(regressor.predict(features, "case 0"), regressor.predict(features))


def test_one_fold_means_no_models_but_the_one_of_all() -> None:
    features, truth, groups = cohort()
    regressor = fit_regressor(features, truth, groups, folds=1)
    assert regressor.weights.shape[0] == 1
    assert regressor.fold_of == {}
    np.testing.assert_array_equal(regressor.predict(features, "case 0"), regressor.predict(features))


def test_fewer_groups_than_folds_make_as_many_folds_as_groups() -> None:
    features, truth, groups = cohort()
    some = np.isin(groups, ["case 0", "case 1", "case 2"])
    regressor = fit_regressor(features[some], truth[some], [g for g in groups if g in ("case 0", "case 1", "case 2")])
    assert sorted(regressor.fold_of.values()) == [1, 2, 3]


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, truth, groups = cohort()
    silent = np.concatenate([features, np.full((len(features), 1), np.log(1e-3))], axis=1)
    regressor = fit_regressor(silent, truth, groups)
    assert np.isfinite(regressor.predict(silent)).all()
    assert np.abs(regressor.predict(silent) - truth).mean() < 0.06


def test_the_same_tiles_give_the_same_regressor() -> None:
    features, truth, groups = cohort()
    once, twice = (fit_regressor(features, truth, groups) for _ in range(2))
    np.testing.assert_array_equal(once.weights, twice.weights)
    np.testing.assert_array_equal(once.intercepts, twice.intercepts)


def test_the_half_width_is_kept() -> None:
    regressor = Regressor(np.zeros(1), np.ones(1), np.ones((1, 1)), np.zeros(1), {}, 0.4)
    assert regressor.half_width_octaves == 0.4
    assert regressor.predict(np.array([[2.0], [3.0]])).tolist() == [2.0, 3.0]
