"""What probes find, what they must not find, and how their scores are averaged."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.probes import (
    ProbeKind,
    RepeatedSplits,
    fit_probe,
    mean_as_published,
    probe,
    probe_labels,
    probe_shuffled,
    shuffle_groups,
    split_groups,
)

METHODS = ("ridge", "projected", "least_squares")


def linear_truth(
    samples: int, width: int, noise: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[str], float]:
    """Features, a linear target with noise, one group a pair of samples, and the R² that the truth itself reaches."""
    rng = np.random.default_rng(seed)
    features = rng.normal(3, 2, (samples, width))
    signal = features @ rng.normal(size=width)
    signal /= signal.std()
    target = signal + noise * rng.normal(size=samples)
    groups = [f"g{number // 2}" for number in range(samples)]
    return features, target, groups, 1 / (1 + noise**2)


@pytest.mark.parametrize("method", METHODS)
def test_a_linear_truth_is_found_up_to_its_noise(method: str) -> None:
    features, target, groups, best = linear_truth(300, 8, noise=0.5)
    scores = probe(features, target, groups, kind=ProbeKind(method), splits=RepeatedSplits(10))
    assert scores.r2.shape == (10,)
    assert scores.mean == pytest.approx(best, abs=0.06)
    assert 0 < scores.spread < 0.1


def test_ridge_is_numpys_normal_equations_at_some_penalty() -> None:
    features, target, groups, _ = linear_truth(60, 5, noise=0.3)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    centred = target - target.mean()
    said = fit_probe(features, target, groups).predict(features)
    by_hand = [
        target.mean() + standard @ np.linalg.solve(standard.T @ standard + 5 * k * np.eye(5), standard.T @ centred)
        for k in 10.0 ** np.arange(-3, 4.1, 0.5)
    ]
    assert min(np.abs(said - each).max() for each in by_hand) < 1e-9


def test_shuffled_labels_tell_nothing() -> None:
    features, target, groups, best = linear_truth(300, 8, noise=0.5)
    assert probe(features, target, groups).mean > best - 0.1
    assert probe_shuffled(features, target, groups).mean <= 0.02


def test_wide_noise_beats_no_baseline_with_a_ridge() -> None:
    rng = np.random.default_rng(1)
    groups = [str(number) for number in range(120)]
    scores = probe(rng.normal(size=(120, 600)), rng.normal(size=120), groups, splits=RepeatedSplits(5))
    assert -0.2 < scores.mean <= 0.02


@pytest.mark.parametrize(("width", "sound"), [(14, True), (15, False)])
def test_least_squares_is_silent_below_five_training_samples_a_feature(width: int, sound: bool) -> None:
    # 100 groups of one sample: 70 are trained on, 5 × 14.
    features, target, _, _ = linear_truth(100, width, noise=0.1)
    groups = [str(number) for number in range(100)]
    scores = probe(features, target, groups, kind=ProbeKind("least_squares"), splits=RepeatedSplits(3))
    assert np.isfinite(scores.r2).all() == sound
    assert math.isfinite(scores.mean) == sound


def test_a_projection_does_not_see_beyond_its_components() -> None:
    rng = np.random.default_rng(2)
    strong, weak = rng.normal(size=(2, 200))
    # Three copies of the one against one of the other: the first component is the strong one.
    features = np.stack([strong, strong, strong, weak], axis=1)
    groups = [str(number) for number in range(200)]
    assert probe(features, strong, groups, kind=ProbeKind("projected", 1)).mean > 0.95
    assert probe(features, weak, groups, kind=ProbeKind("projected", 1)).mean < 0.1
    assert probe(features, weak, groups, kind=ProbeKind("projected", 2)).mean > 0.95


@given(st.lists(st.sampled_from("abcdefgh"), min_size=12, max_size=60).filter(lambda names: len(set(names)) > 3))
@settings(deadline=None, max_examples=25)
def test_no_group_is_on_both_sides(groups: list[str]) -> None:
    for inside, outside in split_groups(groups, RepeatedSplits(3, 5)):
        assert not {groups[index] for index in inside} & {groups[index] for index in outside}
        assert sorted([*inside, *outside]) == list(range(len(groups)))


def test_a_group_that_gives_itself_away_is_of_no_use() -> None:
    # Each group has its own feature and its own target: a probe that met the group would answer exactly.
    numbers = np.repeat(np.arange(40), 5)
    target = np.random.default_rng(3).normal(size=40)[numbers]
    scores = probe(np.eye(40)[numbers], target, [str(number) for number in numbers], splits=RepeatedSplits(5))
    assert scores.mean <= 0.02


def test_a_channel_that_wakes_up_later_does_not_run_away_with_the_answer() -> None:
    features, target, groups, _ = linear_truth(200, 4, noise=0.3)
    silent = 1e-3 + 1e-7 * np.random.default_rng(7).normal(size=(200, 1))
    fitted = fit_probe(np.hstack([features, silent]), target, groups)
    awake = fitted.predict(np.hstack([features, np.ones((200, 1))]))
    asleep = fitted.predict(np.hstack([features, silent]))
    assert np.abs(awake - asleep).max() < 0.3


def test_a_probe_is_tested_under_the_other_condition() -> None:
    features, target, groups, _ = linear_truth(200, 4, noise=0.05)
    same = probe(features, target, groups, test_features=features.copy())
    np.testing.assert_array_equal(same.r2, probe(features, target, groups).r2)
    # Mirrored features turn every answer about the mean: twice the target off, R² 1 − 4.
    mirrored = 2 * features.mean(axis=0) - features
    assert probe(features, target, groups, test_features=mirrored).mean == pytest.approx(-3, abs=0.3)


def test_arrays_of_different_lengths_are_refused() -> None:
    features, target, groups, _ = linear_truth(20, 2, noise=0.1)
    with pytest.raises(ValueError, match="differ in length"):
        probe(features, target, groups[:-1])


def test_an_unknown_method_is_refused() -> None:
    features, target, groups, _ = linear_truth(20, 2, noise=0.1)
    with pytest.raises(ValueError, match="not one of ridge"):
        fit_probe(features, target, groups, ProbeKind("lasso"))  # type: ignore[arg-type]


def test_shuffling_hands_whole_groups_on() -> None:
    numbers = np.repeat(np.arange(30), 3)
    shuffled = shuffle_groups(numbers.astype(float), [f"{number:02}" for number in numbers], 0)
    assert sorted(shuffled) == sorted(numbers)
    per_group = shuffled.reshape(30, 3)
    assert (per_group == per_group[:, :1]).all()
    assert (per_group[:, 0] != np.arange(30)).sum() > 20


def test_labels_alone_tell_what_their_means_tell() -> None:
    rng = np.random.default_rng(4)
    animals, sets = rng.integers(4, size=300), rng.integers(2, size=300)
    target = animals + 3.0 * sets + rng.normal(size=300)
    labels = np.stack([animals.astype(str), sets.astype(str)], axis=1)
    explained = 1 - 1 / target.var()
    groups = [str(number) for number in range(300)]
    assert probe_labels(labels, target, groups).mean == pytest.approx(explained, abs=0.05)
    assert probe_labels(labels, rng.permutation(target), groups).mean <= 0.02


def test_a_label_that_was_never_met_counts_as_the_mean() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(60).astype(str)[:, None]
    scores = probe_labels(labels, rng.normal(size=60), labels[:, 0].tolist(), splits=RepeatedSplits(5))
    assert -0.5 < scores.mean <= 0.02


@given(st.lists(st.floats(-30, 1), min_size=1, max_size=30))
@settings(deadline=None)
def test_the_published_mean_is_never_below_the_mean(r2: list[float]) -> None:
    assert mean_as_published(np.array(r2)) >= np.mean(r2) - 1e-9


def test_the_published_mean_is_the_formula_of_the_notebook() -> None:
    # exp(R²)/e summed over the repetitions, divided by their number, printed as ln(mean) + 1.
    r2 = (0.8, 0.2, -3.0)
    by_hand = math.log((math.exp(0.8) / math.e + math.exp(0.2) / math.e + math.exp(-3.0) / math.e) / 3) + 1
    assert mean_as_published(np.array(r2)) == pytest.approx(by_hand)
    # One failed repetition pulls the mean below nothing and hardly moves theirs.
    assert np.mean(r2) < -0.6
    assert mean_as_published(np.array(r2)) > 0.1
