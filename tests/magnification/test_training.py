"""What is trained to tell µm per pixel, and that what is kept of it says the same."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.head import BIN_CENTRES
from wsi_scale.magnification.training import (
    HUBER_OCTAVES,
    LABEL_OCTAVES,
    ChainRegressor,
    HeadModule,
    mean_log2_mpp,
    scale_loss,
)
from wsi_scale.networks.architectures import chain_architecture
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS, ChainPlan, Conv, chain_taps, fold_batch_norm
from wsi_scale.networks.network import assemble

SMALL: ChainPlan = (Conv(8, 5, 2), 8, "M", 16, 12)


def images(count: int = 4, side_px: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, side_px, side_px, generator=torch.Generator().manual_seed(seed))


def seen(plan: ChainPlan, layers: Sequence[str], seed: int = 0) -> ChainRegressor:
    """A chain whose batch norms have seen some batches."""
    torch.manual_seed(seed)
    model = ChainRegressor(plan, layers)
    with torch.no_grad():
        for step in range(8):
            model(images(8, 48, seed=100 + step) * 2 + 0.5)
    return model.eval()


@pytest.mark.parametrize(
    ("plan", "layers"),
    [(EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS), (SMALL, ("C1_1", "C2_2")), (SMALL, ("C1_2",)), ((8, "M", 8), ("C1_1",))],
)
@pytest.mark.parametrize("side_px", [64, 97])
def test_the_network_and_the_head_that_are_kept_say_what_was_trained(
    plan: ChainPlan, layers: tuple[str, ...], side_px: int
) -> None:
    model = seen(plan, layers)
    shown = images(side_px=side_px)
    with torch.no_grad():
        expected = torch.softmax(model(shown), dim=1).numpy()
    head = model.head.export()
    weights = {f"features.{name}": value for name, value in fold_batch_norm(model.features).state_dict().items()}

    network = assemble(chain_architecture("kept", plan, layers, layers[-1]), weights, layers, "here")
    with torch.no_grad():
        pooled = {name: value.numpy() for name, value in network(shown).items()}

    np.testing.assert_allclose(head.distribution(log_features(pooled)), expected, atol=1e-4)


def test_the_head_reads_every_layer_that_is_named_and_nothing_else() -> None:
    widths = {tap.name: tap.channels for tap in chain_taps(SMALL)}
    for layers in (("C1_1",), ("C1_2", "C2_1"), tuple(widths)):
        assert ChainRegressor(SMALL, layers).head.hidden.in_features == sum(widths[name] for name in layers)


def test_what_lies_behind_the_deepest_named_layer_plays_no_part() -> None:
    model = seen(SMALL, ("C1_1", "C2_1"))
    before = model(images())
    with torch.no_grad():
        # The last convolution.
        model.features[-3].weight.add_(1)
    torch.testing.assert_close(model(images()), before, rtol=0, atol=0)


@pytest.mark.parametrize("side_px", [32, 75])
def test_any_side_gives_a_logit_a_bin_and_one_for_no_tissue(side_px: int) -> None:
    assert seen(SMALL, ("C1_2", "C2_2"))(images(3, side_px)).shape == (3, len(BIN_CENTRES) + 1)


def test_the_gradient_reaches_every_weight_that_is_used() -> None:
    torch.manual_seed(0)
    model = ChainRegressor(SMALL, ("C1_2", "C2_2")).train()
    truth = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, float("nan")])
    scale_loss(model(images(6)), truth).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias before a batch norm does nothing.
        if not (name.startswith("features") and name.endswith("bias") and parameter.grad.abs().max() < 1e-5):
            assert parameter.grad.abs().max() > 0, name


def test_a_few_steps_downhill_lower_the_loss() -> None:
    torch.manual_seed(0)
    head = HeadModule(5, dropout=0.0)
    features, truth = torch.randn(64, 5), torch.linspace(-2, 2, 64)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = scale_loss(head(features), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def bell(log2_mpp: float, other: float = -20.0) -> torch.Tensor:
    """Logits of a bell about a value, and of no tissue, (1, bin + 1)."""
    return torch.tensor([[*(-0.5 * ((BIN_CENTRES - log2_mpp) / LABEL_OCTAVES) ** 2), other]], dtype=torch.float64)


@given(st.floats(-2.3, 2.3), st.floats(0.26, 2.0), st.sampled_from([-1, 1]))
@settings(deadline=None)
def test_the_loss_is_smaller_at_the_truth_than_beside_it_and_grows_with_the_miss(
    truth: float, away: float, side: int
) -> None:
    target = torch.tensor([truth], dtype=torch.float64)
    at, beside, further = (float(scale_loss(bell(truth + side * d), target)) for d in (0, away, 1.3 * away))
    assert at < beside < further


def test_what_is_no_tissue_wants_its_own_bin_and_no_scale() -> None:
    nothing, something = torch.tensor([float("nan")]).double(), torch.tensor([1.0]).double()
    sure, unsure, wrong = (bell(1.0, other) for other in (20.0, 0.0, -20.0))
    assert float(scale_loss(sure, nothing)) < float(scale_loss(unsure, nothing)) < float(scale_loss(wrong, nothing))
    assert float(scale_loss(wrong, something)) < float(scale_loss(unsure, something))
    # Whatever scale is said of it costs the same.
    moved = bell(-2.0, 20.0)
    moved[0, :-1] += torch.logsumexp(sure[0, :-1], 0) - torch.logsumexp(moved[0, :-1], 0)
    assert float(scale_loss(moved, nothing)) == pytest.approx(float(scale_loss(sure, nothing)))


def test_the_loss_by_hand() -> None:
    """Cross-entropy against the soft label, and twice Huber's loss on the mean of tissue."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, len(BIN_CENTRES) + 1))
    truth = np.array([-2.0, -1.1, 0.0, np.nan, 0.4, 2.0])
    expected = []
    for row, right in zip(logits, truth, strict=True):
        shares = np.exp(row) / np.exp(row).sum()
        if np.isnan(right):
            expected.append(-np.log(shares[-1]))
            continue
        label = np.exp(-((BIN_CENTRES - right) ** 2) / (2 * LABEL_OCTAVES**2))
        label /= label.sum()
        miss = abs(shares[:-1] @ BIN_CENTRES / shares[:-1].sum() - right)
        huber = miss**2 / 2 if miss <= HUBER_OCTAVES else HUBER_OCTAVES * (miss - HUBER_OCTAVES / 2)
        expected.append(-(label @ np.log(shares[:-1])) + 2 * huber)
    loss = scale_loss(torch.from_numpy(logits), torch.from_numpy(truth))
    assert float(loss) == pytest.approx(np.mean(expected))


def test_the_mean_in_training_is_that_of_the_head_that_is_kept() -> None:
    torch.manual_seed(0)
    module = HeadModule(4)
    features = torch.randn(20, 4)
    module(features)
    module.eval()
    with torch.no_grad():
        in_training = mean_log2_mpp(module(features)).numpy()
    np.testing.assert_allclose(
        in_training, module.export().predict_tiles(features.double().numpy()).log2_mpp, atol=1e-5
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_and_loss_keep_the_precision_that_they_get(dtype: torch.dtype) -> None:
    logits = torch.zeros(2, len(BIN_CENTRES) + 1, dtype=dtype)
    assert mean_log2_mpp(logits).dtype == dtype
    assert scale_loss(logits, torch.zeros(2, dtype=dtype)).dtype == dtype
