"""Networks as graphs: how channels flow, where blocks end, and splitting there."""

import pytest
import torch

from wsi_scale.errors import ConfigError
from wsi_scale.networks.architectures import ARCHITECTURES, architecture
from wsi_scale.networks.graph import block_modules, channel_flow, single_output, split_after
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.networks.network import Network


def seeded(name: str) -> NetworkSource:
    """A network of seeded weights."""
    torch.manual_seed(3)
    known = architecture(name)
    return NetworkSource(known, known.build().eval().state_dict(), "a seed")


def tapped(name: str) -> Network:
    source = find_network("embedded") if name == "embedded" else seeded(name)
    return source.tapped(source.architecture.block_ends)


SMALL = ("embedded", "squeezenet1_1", "resnet50", "inception_v3")


@pytest.mark.parametrize("name", SMALL)
def test_the_graph_gives_the_deepest_taps_map(name: str) -> None:
    network = tapped(name)
    images = torch.rand(2, 3, 96, 96)
    assert torch.equal(single_output(network)(images), network.maps(images)[network.layers[-1].name])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("place", [0, 2])
def test_the_two_parts_of_a_network_are_the_network(name: str, place: int) -> None:
    network = tapped(name)
    layer = network.layers[place].name
    lower, upper = split_after(network, layer)
    images = torch.rand(2, 3, 96, 96)
    maps = network.maps(images)
    assert torch.equal(lower(images), maps[layer])
    assert torch.equal(upper(maps[layer].clone()), maps[network.layers[-1].name])
    assert not set(lower.state_dict()) & set(upper.state_dict())
    assert set(lower.state_dict()) | set(upper.state_dict()) == set(network.trunk.state_dict())


def test_a_chain_reads_the_convolution_before() -> None:
    flow = channel_flow(single_output(tapped("embedded")), "embedded")
    convs = [site.conv for site in flow.sites]
    assert [site.sources for site in flow.sites] == [(), *((conv,) for conv in convs[:-1])]
    assert flow.outputs == (convs[-1],)
    assert len(flow.activated) == len(flow.sites)


def test_a_fire_module_reads_both_expansions_of_the_one_before() -> None:
    flow = channel_flow(single_output(tapped("squeezenet1_1")), "squeezenet1_1")
    read = {site.conv: site.sources for site in flow.sites}
    assert read["features.4.squeeze"] == ("features.3.expand1x1", "features.3.expand3x3")
    assert read["features.3.expand3x3"] == ("features.3.squeeze",)
    assert flow.outputs == ("features.12.expand1x1", "features.12.expand3x3")


@pytest.mark.parametrize("name", ["resnet50", "inception_v3"])
def test_networks_whose_channels_are_tied_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: channels can be removed where .*BatchNorm2d.*prune basis") as error:
        channel_flow(single_output(tapped(name)), name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["embedded", *ARCHITECTURES])
def test_blocks_hold_every_parameter_once(name: str) -> None:
    source = find_network("embedded") if name == "embedded" else NetworkSource(
        architecture(name), architecture(name).build().eval().state_dict(), "initial values"
    )  # fmt: skip
    network = source.tapped(source.architecture.block_ends)
    blocks = block_modules(network, source.architecture.block_ends)
    assert len(blocks) == len(source.architecture.block_ends)
    named = [
        f"{module}.{name}"
        for block in blocks
        for module in block
        for name, _ in network.trunk.get_submodule(module).named_parameters()
    ]
    assert sorted(named) == sorted(name for name, _ in network.trunk.named_parameters())
    assert all(blocks)
