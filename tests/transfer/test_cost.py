"""What a network costs."""

import pytest
import torch
from torch import nn

from wsi_scale.networks.architectures import VGG19_PLAN
from wsi_scale.networks.chain import ChainPlan, Conv, as_conv, build_chain
from wsi_scale.transfer.cost import cost_of, tiles_per_second


def test_a_convolution_by_hand() -> None:
    # 8 × 8 map pixels, each of 5 channels a sum of 3 × 3 × 3 products.
    cost = cost_of(nn.Conv2d(3, 5, 3, stride=2, padding=1), 16)
    assert cost.parameters == 5 * 3 * 3 * 3 + 5
    assert cost.multiply_adds == 8 * 8 * 5 * 3 * 3 * 3


def by_hand(plan: ChainPlan, side_px: int) -> tuple[int, int]:
    """Parameters and multiply-adds of a chain, step by step."""
    channels, side, parameters, products = 3, side_px, 0, 0
    for step in plan:
        if step == "M":
            side //= 2
            continue
        conv = as_conv(step)
        side = (side + 2 * (conv.kernel // 2) - conv.kernel) // conv.stride + 1
        weights = conv.width * channels * conv.kernel**2
        parameters, products, channels = parameters + weights + conv.width, products + side**2 * weights, conv.width
    return parameters, products


@pytest.mark.parametrize(
    ("plan", "side_px"), [((8, "M", 16), 33), ((Conv(8, 5, 2), 8, "M", Conv(4, 1)), 50), (VGG19_PLAN, 32)]
)
def test_a_chain_step_by_step(plan: ChainPlan, side_px: int) -> None:
    cost = cost_of(build_chain(plan), side_px)
    assert (cost.parameters, cost.multiply_adds) == by_hand(plan, side_px)


def test_a_depthwise_convolution_costs_only_what_it_does() -> None:
    cost = cost_of(nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, groups=3)), 10)
    assert cost.parameters == 6 * 9 + 6
    assert cost.multiply_adds == 10 * 10 * 6 * 9


def test_counting_leaves_a_module_as_it_was() -> None:
    module = build_chain((4, "M", 4), batch_norm=True).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.eval()
    cost_of(module, 16)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_what_does_more_is_measured_to_be_slower() -> None:
    thin, thick = build_chain((4,)), build_chain((64, 64, 64))
    fast, slow = tiles_per_second([thin.eval(), thick.eval()], 64, batch=2, rounds=3)
    assert fast > slow > 0
