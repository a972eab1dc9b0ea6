"""Heads of frozen networks, trained on features."""

import numpy as np
import pytest

from wsi_scale.learning.heads import BATCH, EPOCHS, fit_head

TILES = 60


def tiles(groups: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features of which two tell the scale, with noise; log2 mpp; groups."""
    rng = np.random.default_rng(seed)
    log2_mpp = rng.uniform(-2, 2, groups * TILES)
    features = rng.normal(0, 1, (len(log2_mpp), 6)) * 3 + 5
    features[:, 1] = 2 * log2_mpp + rng.normal(0, 0.2, len(log2_mpp)) - 3
    features[:, 4] = -(log2_mpp**2) + rng.normal(0, 0.2, len(log2_mpp))
    return features, log2_mpp, [f"case {index // TILES}" for index in range(len(log2_mpp))]


def test_a_head_tells_the_scale_of_tiles_that_it_never_saw() -> None:
    head = fit_head(*tiles(16), seed=0, hidden=16)
    fresh, truth, _ = tiles(2, seed=1)
    predicted = head.predict_tiles(fresh)
    assert np.median(np.abs(predicted.log2_mpp - truth)) < 0.3
    assert np.median(predicted.spread_octaves) < 1


def test_the_same_seed_gives_the_same_head_and_another_one_another() -> None:
    once, twice, other = (fit_head(*tiles(3), seed=seed, hidden=4) for seed in (0, 0, 1))
    for name, values in once.arrays().items():
        np.testing.assert_array_equal(values, twice.arrays()[name])
    assert not np.array_equal(once.weights, other.weights)


def test_features_are_standardised_by_tiles_that_are_fitted_on() -> None:
    features, log2_mpp, groups = tiles(2)
    head = fit_head(features, log2_mpp, groups, seed=0, hidden=4)
    # One of two groups is looked at by early stopping alone, and statistics of batches are noisy.
    means = [features[np.array(groups) == group].mean(axis=0) for group in ("case 0", "case 1")]
    assert min(np.abs((head.mean - mean) / head.scale).max() for mean in means) < 0.2


@pytest.mark.parametrize("count", [BATCH + 1, 2 * BATCH + 1])
def test_a_last_tile_that_has_no_batch_to_itself_does_no_harm(count: int) -> None:
    rng = np.random.default_rng(0)
    epochs: list[int] = []
    groups = ["held"] * 5 + ["fitted"] * count
    order = np.random.default_rng(0).permutation(sorted(set(groups)))
    groups = [order[0] if group == "held" else order[1] for group in groups]
    head = fit_head(
        rng.normal(size=(count + 5, 3)), rng.uniform(-1, 1, count + 5), groups, seed=0, hidden=3,
        on_epoch=epochs.append,
    )  # fmt: skip
    assert np.isfinite(head.weights).all()
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) <= EPOCHS
