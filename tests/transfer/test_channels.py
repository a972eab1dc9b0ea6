"""Channel scaling: what is removed is as if it were zero, and scales fold exactly."""

import pytest
import torch
from torch import fx

from tests.transfer.tasks import network_source
from wsi_scale.networks.graph import ChannelFlow, channel_flow, single_output
from wsi_scale.transfer.channels import (
    ScaledReLU,
    attach_scales,
    convolution,
    filter_sizes,
    fold_scales,
    kept_inputs,
    mask_channels,
    narrow_head,
    operation_costs,
    parameters_kept,
    penalty_of,
    remove_channels,
    scale_of,
    scales_of,
)
from wsi_scale.transfer.learner import LinearHead

PRUNABLE = ("embedded", "vgg16", "vgg19", "squeezenet1_1")


def graph(name: str) -> tuple[fx.GraphModule, ChannelFlow]:
    source = network_source(name)
    trunk = single_output(source.tapped([source.architecture.feature_layer]))
    if name != "embedded":
        # As deep networks are built, sixteen layers on all images give the same: nothing would be tested.
        generator = torch.Generator().manual_seed(4)
        for module in trunk.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
    return trunk, channel_flow(trunk, name)


def some(trunk: fx.GraphModule, flow: ChannelFlow, seed: int = 0) -> dict[str, torch.Tensor]:
    """About half of every layer's channels."""
    generator = torch.Generator().manual_seed(seed)
    return {
        site.conv: torch.rand(convolution(trunk, site.conv).out_channels, generator=generator) < 0.5
        for site in flow.activated
    }


def with_random_scales(trunk: fx.GraphModule, flow: ChannelFlow) -> fx.GraphModule:
    scaled = attach_scales(trunk, flow)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for site in flow.activated:
            scale = scale_of(scaled, site).scale
            # Some fall to zero and below: those count as zero.
            scale.copy_(torch.rand(scale.shape, generator=generator) * 1.5 - 0.2)
    return scaled


def close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-5) -> bool:
    return bool((ours - theirs).abs().max() <= tolerance * max(1.0, float(theirs.abs().max())))


@pytest.mark.parametrize("name", PRUNABLE)
@torch.no_grad()
def test_outputs_of_the_networks_tried_depend_on_the_image(name: str) -> None:
    one, other = graph(name)[0](torch.randn(2, 3, 64, 64))
    assert float((one - other).abs().max()) > 0.1 * float(one.abs().max())


@pytest.mark.parametrize("name", PRUNABLE)
@torch.no_grad()
def test_the_shrunken_network_equals_the_full_one_with_those_channels_zeroed(name: str) -> None:
    trunk, flow = graph(name)
    kept = some(trunk, flow)
    images = torch.randn(2, 3, 64, 64)
    read = kept_inputs(trunk, flow.outputs, kept)
    assert read is not None
    small = remove_channels(trunk, flow, kept)
    assert close(small(images), mask_channels(trunk, flow, kept)(images)[:, read])
    assert sum(p.numel() for p in small.parameters()) == parameters_kept(trunk, flow, kept)
    assert parameters_kept(trunk, flow, {}) == sum(p.numel() for p in trunk.parameters())


@pytest.mark.parametrize("name", PRUNABLE)
@torch.no_grad()
def test_scales_fold_into_the_convolution_before_them(name: str) -> None:
    trunk, flow = graph(name)
    scaled = with_random_scales(trunk, flow)
    images = torch.randn(2, 3, 64, 64)
    folded = fold_scales(scaled, flow)
    assert close(folded(images), scaled(images))
    assert not any(isinstance(module, ScaledReLU) for module in folded.modules())
    assert sorted(folded.state_dict()) == sorted(trunk.state_dict())


@torch.no_grad()
def test_a_narrowed_head_says_what_the_whole_one_says_of_zeros() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(40, 20, generator=generator)
    head = LinearHead(20, 3)
    head.standardise_by(features)
    torch.nn.init.normal_(head.linear.weight, generator=generator)
    read = torch.arange(20) % 3 > 0
    assert close(narrow_head(head, read)(features[:, read]), head(features * read))


@torch.no_grad()
def test_removing_keeps_the_scales_of_what_stays() -> None:
    trunk, flow = graph("embedded")
    scaled = with_random_scales(trunk, flow)
    kept = {conv: scales > 0 for conv, scales in scales_of(scaled, flow).items()}
    images = torch.randn(2, 3, 64, 64)
    read = kept_inputs(trunk, flow.outputs, kept)
    assert close(remove_channels(scaled, flow, kept)(images), scaled(images)[:, read])


@torch.no_grad()
def test_at_first_scales_change_nothing() -> None:
    trunk, flow = graph("squeezenet1_1")
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(attach_scales(trunk, flow)(images), trunk(images))


def test_nothing_but_scales_can_be_trained() -> None:
    trunk, flow = graph("embedded")
    trained = {name for name, p in attach_scales(trunk, flow).named_parameters() if p.requires_grad}
    assert trained == {f"{site.activation}.scale" for site in flow.activated}


def test_the_penalty_is_the_mean_scale_or_its_mean_by_operations() -> None:
    trunk, flow = graph("embedded")
    scaled = attach_scales(trunk, flow)
    alike = dict.fromkeys((site.conv for site in flow.sites), 1.0)
    costs = operation_costs(scaled, flow, 64)
    assert float(penalty_of(scaled, flow, alike).detach()) == pytest.approx(1)
    assert float(penalty_of(scaled, flow, costs).detach()) == pytest.approx(1)
    with torch.no_grad():
        scale_of(scaled, flow.sites[0]).scale.zero_()
    widths = [convolution(trunk, site.conv).out_channels for site in flow.sites]
    assert float(penalty_of(scaled, flow, alike).detach()) == pytest.approx(1 - widths[0] / sum(widths))
    gone = costs[flow.sites[0].conv] * widths[0]
    whole = sum(costs[site.conv] * width for site, width in zip(flow.sites, widths, strict=True))
    assert float(penalty_of(scaled, flow, costs).detach()) == pytest.approx(1 - gone / whole)


def test_operations_of_a_channel_by_hand() -> None:
    trunk, flow = graph("embedded")
    costs = operation_costs(trunk, flow, 64)
    # Stem: 5 × 5 of 3 channels on 32 × 32 px, read by 32 filters of 3 × 3 there; the last: 3 × 3 of 128 on 4 × 4 px.
    first, last = 32 * 32 * (25 * 3 + 9 * 32), 4 * 4 * 9 * 128
    assert costs[flow.sites[0].conv] / costs[flow.sites[-1].conv] == pytest.approx(first / last)


def test_a_filter_is_as_large_as_its_weights() -> None:
    trunk, flow = graph("embedded")
    sizes = filter_sizes(trunk, flow)
    first = flow.sites[0].conv
    by_hand = convolution(trunk, first).weight.detach().abs().flatten(1).sum(dim=1) / (3 * 5 * 5)
    assert torch.allclose(sizes[first], by_hand)
