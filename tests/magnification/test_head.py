"""From log features to a distribution over log2 mpp and "no tissue", in plain arrays."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planted import SPREAD, reading_head
from wsi_scale.magnification.head import BIN_CENTRES, Head, TilePredictions
from wsi_scale.magnification.pooling import ANSWERED_MPP, TRUSTED_MPP
from wsi_scale.magnification.training import HeadModule

FEATURES = 7


def trained_module(seed: int = 0) -> HeadModule:
    """A module with random weights that has seen some batches, so that its statistics are not those of birth."""
    torch.manual_seed(seed)
    module = HeadModule(FEATURES, hidden=9)
    for _ in range(5):
        module(torch.randn(32, FEATURES) * 3 - 2)
    return module


def with_bias(bias: list[float], centres: np.ndarray) -> Head:
    """A head that says the same of everything; the last bias is that of no tissue."""
    return Head(
        np.zeros(1), np.ones(1), np.zeros((1, 1)), np.zeros(1), np.zeros((len(bias), 1)), np.array(bias), centres
    )


@pytest.mark.parametrize("seed", range(3))
def test_it_answers_as_the_module_that_it_was_exported_from(seed: int) -> None:
    module = trained_module(seed)
    features = torch.randn(50, FEATURES, generator=torch.Generator().manual_seed(seed)) * 4 - 1
    with torch.no_grad():
        expected = torch.softmax(module.eval()(features), dim=1).numpy()

    head = module.export()

    np.testing.assert_allclose(head.distribution(features.double().numpy()), expected, atol=1e-5)
    assert expected.std(axis=0).max() > 0.01


def test_exporting_leaves_out_what_only_training_does() -> None:
    module = trained_module()
    before = module.train().export()
    after = module.eval().export()
    for name, values in before.arrays().items():
        np.testing.assert_array_equal(after.arrays()[name], values)


def test_a_module_without_statistics_cannot_be_exported() -> None:
    module = trained_module()
    module.norm.running_mean = None
    with pytest.raises(TypeError, match="running statistics"):
        module.export()


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=5),
    st.integers(0, 3),
)
@settings(deadline=None)
def test_whatever_the_features_the_answer_is_a_distribution(rows: list[list[float]], seed: int) -> None:
    head = trained_module(seed).export()
    shares = head.distribution(np.array(rows))
    assert shares.shape == (len(rows), len(BIN_CENTRES) + 1)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    tiles = head.predict_tiles(np.array(rows))
    assert ((tiles.tissue >= 0) & (tiles.tissue <= 1 + 1e-9)).all()
    assert (np.abs(tiles.log2_mpp) <= BIN_CENTRES[-1] + 1e-9).all()
    assert ((tiles.spread_octaves >= 0) & (tiles.spread_octaves <= (BIN_CENTRES[-1] - BIN_CENTRES[0]) / 2 + 1e-9)).all()


@pytest.mark.parametrize("other", [-1e4, 0.0, 3.0])
def test_moments_by_hand(other: float) -> None:
    # Given tissue, shares of 1/8, 3/8 and 4/8 at -1, 0 and 2: mean 7/8, variance 17/8 - 49/64 = 87/64.
    head = with_bias([*np.log([1, 3, 4]), other], np.array([-1.0, 0.0, 2.0]))
    tiles = head.predict_tiles(np.array([[5.0], [-5.0]]))
    np.testing.assert_allclose(tiles.log2_mpp, 7 / 8)
    np.testing.assert_allclose(tiles.spread_octaves, np.sqrt(87 / 64))
    np.testing.assert_allclose(tiles.tissue, 8 / (8 + np.exp(other)))


def test_a_head_that_is_certain_has_no_spread_and_it_is_never_imaginary() -> None:
    tiles = with_bias([0.0, 2000.0, 0.0, 0.0], np.array([0.1, 0.2, 0.3])).predict_tiles(np.zeros((1, 1)))
    assert tiles.log2_mpp.item() == pytest.approx(0.2)
    assert tiles.spread_octaves.item() == pytest.approx(0, abs=1e-8)
    assert tiles.tissue.item() == pytest.approx(1)


def test_what_certainly_is_no_tissue_has_finite_moments() -> None:
    tiles = with_bias([0.0, 0.0, 5000.0], np.array([-1.0, 1.0])).predict_tiles(np.zeros((1, 1)))
    assert tiles.tissue.item() == 0
    assert np.isfinite([tiles.log2_mpp.item(), tiles.spread_octaves.item()]).all()


def test_looks_are_joined_in_their_order_and_picked_as_arrays_are() -> None:
    first = TilePredictions(np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([0.5, 0.6]))
    second = TilePredictions(np.array([3.0]), np.array([0.3]), np.array([0.7]))
    joined = TilePredictions.joined([first, TilePredictions.none(), second])
    assert joined.log2_mpp.tolist() == [1, 2, 3]
    assert joined.spread_octaves.tolist() == [0.1, 0.2, 0.3]
    assert joined.tissue.tolist() == [0.5, 0.6, 0.7]
    picked = joined[np.array([True, False, True])]
    assert (picked.log2_mpp.tolist(), picked.tissue.tolist()) == ([1, 3], [0.5, 0.7])
    assert len(TilePredictions.joined([]).log2_mpp) == 0


def test_features_are_standardised_by_its_own_figures() -> None:
    head = trained_module().export()
    features = np.random.default_rng(0).normal(size=(3, FEATURES))
    np.testing.assert_allclose(head.standard(features) * head.scale + head.mean, features)
    np.testing.assert_array_equal(head.standard(head.mean[None]), np.zeros((1, FEATURES)))


def test_its_arrays_bring_it_back_and_names_of_others_do_no_harm() -> None:
    head = trained_module().export()
    again = Head.from_arrays({**head.arrays(), "bends": np.zeros(3)})
    for name, values in head.arrays().items():
        np.testing.assert_array_equal(getattr(again, name), values)
    features = np.random.default_rng(0).normal(size=(4, FEATURES))
    np.testing.assert_array_equal(again.distribution(features), head.distribution(features))


def test_its_bins_reach_beyond_what_is_answered() -> None:
    assert np.allclose(np.diff(BIN_CENTRES), BIN_CENTRES[1] - BIN_CENTRES[0])
    for low, high in (ANSWERED_MPP, TRUSTED_MPP):
        assert BIN_CENTRES[0] < np.log2(low) - 0.5
        assert BIN_CENTRES[-1] > np.log2(high) + 0.5


@given(st.floats(-2.3, 2.3), st.floats(-1, 1), st.floats(0.5, 2))
@settings(deadline=None)
def test_the_planted_head_of_these_tests_says_what_it_is_told(said: float, base: float, gain: float) -> None:
    tiles = reading_head(3, base=base, gain=gain).predict_tiles(np.array([[(said - base) / gain, 9.0, -9.0]]))
    assert tiles.log2_mpp.item() == pytest.approx(said, abs=1e-3)
    assert tiles.spread_octaves.item() == pytest.approx(SPREAD, abs=1e-3)
    assert tiles.tissue.item() == pytest.approx(1)
    assert reading_head(base=said, gain=0, tissue=0.3).predict_tiles(np.zeros((1, 1))).tissue.item() == pytest.approx(
        0.3
    )
