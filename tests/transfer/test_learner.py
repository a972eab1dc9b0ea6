"""The head reads logarithms, whatever the network's responses are like."""

import pytest
import torch

from wsi_scale.transfer.learner import LEAST_DEVIATION, LinearHead


def standardised(features: torch.Tensor) -> LinearHead:
    head = LinearHead(features.shape[1], 1)
    head.standardise_by(features)
    return head


@pytest.mark.parametrize("gain", [1e-3, 1.0, 1e3])
def test_a_gain_of_all_responses_changes_nothing(gain: float) -> None:
    features = torch.rand(50, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 9)
    ours = standardised(features * gain).standardised(features * gain)
    assert torch.allclose(ours, standardised(features).standardised(features), atol=1e-4)


def test_a_channel_that_never_answered_is_not_blown_up() -> None:
    features = torch.rand(50, 8, generator=torch.Generator().manual_seed(0))
    features[:, 3] = 0
    head = standardised(features)
    answered = features.clone()
    answered[:, 3] = 1.0
    # Its logarithm rises from that of the offset alone, a hundredth of the median mean of 0.5.
    assert float(head.standardised(answered)[:, 3].max()) == pytest.approx(5.3 / LEAST_DEVIATION, rel=0.05)


def test_features_that_are_all_zero_stay_finite() -> None:
    features = torch.zeros(10, 4)
    assert torch.isfinite(standardised(features).standardised(features + 1e-3)).all()
