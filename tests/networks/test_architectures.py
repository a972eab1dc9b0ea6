"""The networks known by name."""

import copy
import json
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wsi_scale.networks.architectures import ARCHITECTURES, Architecture, chain_architecture
from wsi_scale.networks.chain import (
    EMBEDDED_PLAN,
    EMBEDDED_SCALE_LAYERS,
    ChainPlan,
    Conv,
    as_conv,
    build_chain,
    chain_taps,
    fold_batch_norm,
    plan_as_json,
    plan_from_json,
)
from wsi_scale.networks.network import Network, assemble

PLANS = [EMBEDDED_PLAN, (8,), (8, "M", 16, 16, "M", 24), (Conv(8, 7, 4), "M", Conv(16, 1), 24)]


KNOWN = [*ARCHITECTURES.values(), chain_architecture("embedded", EMBEDDED_PLAN, ("C3_1", "C4_2"), "C4_2")]


@pytest.fixture(scope="module", params=KNOWN, ids=lambda each: each.name)
def known(request: pytest.FixtureRequest) -> Architecture:
    """Each network in turn."""
    return request.param


@pytest.fixture(scope="module")
def network(known: Architecture, seeded: Callable[[nn.Module], nn.Module]) -> Network:
    """Each network with seeded weights, tapped wherever it can be."""
    return assemble(known, seeded(known.build()).state_dict(), list(known.nodes), "seeded")


def test_all_its_layers_can_be_tapped_and_go_from_shallow_to_deep(known: Architecture, network: Network) -> None:
    assert [layer.name for layer in network.layers] == list(known.nodes)
    strides = [layer.stride for layer in network.layers]
    assert strides == sorted(strides)
    assert network.stride == strides[-1]


def test_its_default_layers_exist_in_order(known: Architecture) -> None:
    order = list(known.nodes)
    for layers in (known.block_ends, known.search_layers, (known.feature_layer,)):
        assert set(layers) <= set(order)
        assert list(layers) == sorted(layers, key=order.index)


def test_it_answers_down_to_its_smallest_side_and_the_shapes_are_as_described(
    known: Architecture, network: Network
) -> None:
    for side_px in (known.min_px, known.min_px + network.stride):
        images = torch.rand(1, 3, side_px, side_px)
        maps, pooled = network.maps(images), network(images)
        for layer in network.layers:
            assert maps[layer.name].shape[:2] == (1, layer.channels)
            torch.testing.assert_close(pooled[layer.name], maps[layer.name].mean(dim=(2, 3)), rtol=1e-5, atol=1e-6)


def test_a_stride_is_input_pixels_per_map_pixel(known: Architecture, network: Network) -> None:
    side_px = 512
    with torch.device("meta"):
        maps = copy.deepcopy(network).to("meta").maps(torch.empty(1, 3, side_px, side_px))
    for layer in network.layers:
        # Networks without padding lose a border, which is less than a fifth here.
        assert side_px / layer.stride * 0.8 <= maps[layer.name].shape[-1] <= side_px / layer.stride, layer


def test_it_is_frozen_and_in_evaluation_mode(network: Network) -> None:
    assert not network.training
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_nothing_beyond_the_deepest_tap_is_kept(known: Architecture, network: Network) -> None:
    first = network.layers[0].name
    cut = assemble(known, network_state(network), [first], "seeded")
    assert len(cut.state_dict()) < len(network.state_dict())


def network_state(network: Network) -> dict[str, torch.Tensor]:
    return {name.removeprefix("trunk."): value for name, value in network.state_dict().items()}


@pytest.mark.parametrize("plan", PLANS)
def test_taps_of_a_chain_are_its_activated_convolutions(plan: ChainPlan) -> None:
    chain = build_chain(plan)
    taps = chain_taps(plan)
    assert [tap.index for tap in taps] == [i for i, module in enumerate(chain) if isinstance(module, nn.ReLU)]
    maps = torch.zeros(1, 3, 64, 64)
    shapes = []
    for module in chain:
        maps = module(maps)
        shapes.append(maps.shape)
    for tap in taps:
        assert shapes[tap.index][1] == tap.channels
        assert shapes[tap.index][2] * tap.stride == 64


def test_taps_are_named_by_block_and_convolution() -> None:
    assert [tap.name for tap in chain_taps((8, "M", 16, 16, "M", 24))] == ["C1_1", "C2_1", "C2_2", "C3_1"]


def test_the_embedded_network_is_read_for_scale_at_the_end_of_each_block() -> None:
    described = chain_architecture("embedded", EMBEDDED_PLAN, ("C2_1",), "C4_2")
    assert described.block_ends == EMBEDDED_SCALE_LAYERS


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("plan", PLANS)
def test_a_chain_has_the_kernels_strides_and_widths_of_its_plan(plan: ChainPlan, batch_norm: bool) -> None:
    chain = build_chain(plan, batch_norm=batch_norm)
    convs = [module for module in chain if isinstance(module, nn.Conv2d)]
    wanted = [as_conv(step) for step in plan if step != "M"]
    assert [(c.out_channels, c.kernel_size, c.stride) for c in convs] == [
        (w.width, (w.kernel, w.kernel), (w.stride, w.stride)) for w in wanted
    ]
    kinds = [type(module) for module in chain]
    assert kinds.count(nn.MaxPool2d) == list(plan).count("M")
    assert kinds.count(nn.BatchNorm2d) == len(convs) * batch_norm


def test_a_number_is_a_convolution_of_three_by_three_and_a_pool_is_none() -> None:
    assert as_conv(16) == Conv(16, 3, 1)
    assert as_conv(Conv(16, 5, 2)) == Conv(16, 5, 2)
    with pytest.raises(TypeError, match="not a convolution"):
        as_conv("M")


steps = (
    st.integers(1, 512)
    | st.just("M")
    | st.builds(Conv, st.integers(1, 512), st.sampled_from([1, 3, 5, 7]), st.integers(1, 4))
)


@given(st.lists(steps, max_size=20).map(tuple))
@settings(deadline=None)
def test_any_plan_comes_back_from_json(plan: ChainPlan) -> None:
    assert plan_from_json(json.loads(json.dumps(plan_as_json(plan)))) == plan


@pytest.mark.parametrize("step", ["P", 0, -3, 2.5, None, {"width": 3}])
def test_what_is_no_step_of_a_plan_is_refused(step: object) -> None:
    with pytest.raises(ValueError, match="not a step of a plan"):
        plan_from_json([16, step])


def test_a_batch_norm_without_a_convolution_cannot_be_folded() -> None:
    with pytest.raises(TypeError, match="cannot be folded"):
        fold_batch_norm(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
