"""Cutting a network after one of its layers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from wsi_scale.errors import ConfigError
from wsi_scale.networks.architectures import ARCHITECTURES, architecture
from wsi_scale.networks.chain import EMBEDDED_PLAN, Conv
from wsi_scale.networks.cut import write_cut
from wsi_scale.networks.file import NetworkFile, read_network_file, write_network_file
from wsi_scale.networks.load import NetworkSource, find_network

State = dict[str, torch.Tensor]
Seeded = Callable[[nn.Module], nn.Module]

#: Networks with a layer to cut after; one that is no default of theirs, and one that is.
CUTS = [
    ("vgg19", "C3_2"),
    ("vgg19", "C1_1"),
    ("squeezenet1_1", "fire5"),
    ("squeezenet1_1", "fire2"),
    ("resnet50", "layer1"),
]


@pytest.fixture(scope="module")
def sources(seeded: Seeded) -> dict[str, NetworkSource]:
    """Networks by name with seeded weights, rounded to halves as files hold them."""
    found = {}
    for name in ("vgg19", "squeezenet1_1", "resnet50"):
        state = seeded(architecture(name).build()).state_dict()
        halves = {key: v.half() if v.is_floating_point() else v for key, v in state.items()}
        found[name] = NetworkSource(architecture(name), halves, "seeded")
    return found


def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "layer"), CUTS)
def test_a_cut_answers_at_its_layer_as_the_whole_network_does(
    tmp_path: Path, sources: dict[str, NetworkSource], name: str, layer: str
) -> None:
    whole = sources[name]
    write_cut(tmp_path / "cut.safetensors", whole, layer, {"made_by": "a test"})

    cut = find_network(str(tmp_path / "cut.safetensors"))

    shown = images()
    with torch.no_grad():
        expected, found = whole.tapped([layer])(shown), cut.tapped([layer])(shown)
    assert list(found) == [layer]
    assert float(expected[layer].abs().max()) > 0
    assert torch.equal(found[layer], expected[layer])
    assert cut.tapped([layer]).digest == whole.tapped([layer]).digest


@pytest.mark.parametrize(("name", "layer"), CUTS)
def test_a_cut_ends_with_its_layer_and_what_it_uses_lies_within(
    tmp_path: Path, sources: dict[str, NetworkSource], name: str, layer: str
) -> None:
    whole = sources[name].architecture
    order = list(whole.nodes)
    header = write_cut(tmp_path / "cut.safetensors", sources[name], layer, {})

    cut = find_network(str(tmp_path / "cut.safetensors")).architecture

    assert list(cut.nodes) == order[: order.index(layer) + 1]
    assert (cut.name, cut.feature_layer) == (f"{name}_{layer}", layer)
    assert cut.search_layers
    assert {*cut.search_layers, *cut.block_ends} <= set(cut.nodes)
    assert read_network_file(tmp_path / "cut.safetensors")[0] == header


def test_layers_that_are_searched_are_the_networks_own_where_it_keeps_some(
    tmp_path: Path, sources: dict[str, NetworkSource]
) -> None:
    assert write_cut(tmp_path / "a", sources["vgg19"], "C3_1", {}).search_layers == ("C2_1", "C2_2", "C3_1")
    assert write_cut(tmp_path / "b", sources["vgg19"], "C1_2", {}).search_layers == ("C1_1", "C1_2")


@pytest.mark.parametrize(("name", "layer"), CUTS)
def test_nothing_behind_the_layer_is_stored(
    tmp_path: Path, sources: dict[str, NetworkSource], name: str, layer: str
) -> None:
    write_cut(tmp_path / "cut.safetensors", sources[name], layer, {})
    _, state = read_network_file(tmp_path / "cut.safetensors")
    needed = sources[name].tapped([layer]).trunk.state_dict()
    assert set(state) == set(needed)
    assert len(state) < len(sources[name].state)


@pytest.mark.parametrize(("name", "first", "second"), [("vgg19", "C3_2", "C2_1"), ("squeezenet1_1", "fire5", "fire3")])
def test_a_cut_can_be_cut_again(
    tmp_path: Path, sources: dict[str, NetworkSource], name: str, first: str, second: str
) -> None:
    write_cut(tmp_path / "once.safetensors", sources[name], first, {})
    once = find_network(str(tmp_path / "once.safetensors"))
    write_cut(tmp_path / "twice.safetensors", once, second, {})

    twice = find_network(str(tmp_path / "twice.safetensors"))

    shown = images()
    with torch.no_grad():
        expected, found = sources[name].tapped([second])(shown), twice.tapped([second])(shown)
    assert torch.equal(found[second], expected[second])
    assert list(twice.architecture.nodes)[-1] == second


def test_a_cut_says_what_it_was_cut_from(tmp_path: Path, sources: dict[str, NetworkSource]) -> None:
    header = write_cut(tmp_path / "cut.safetensors", sources["vgg19"], "C2_2", {"made_by": "a test"})
    digest = sources["vgg19"].tapped(["C2_2"]).digest
    assert header.provenance == {"parent": "vgg19", "parent_digest": digest, "made_by": "a test"}


def test_the_embedded_plan_with_its_wide_stem_can_be_cut(tmp_path: Path, chain_state: Callable[..., State]) -> None:
    header = NetworkFile("embedded", EMBEDDED_PLAN, ("C2_1", "C2_2"), "C4_2")
    write_network_file(tmp_path / "whole.safetensors", header, chain_state(EMBEDDED_PLAN))
    whole = find_network(str(tmp_path / "whole.safetensors"))

    cut = write_cut(tmp_path / "cut.safetensors", whole, "C2_1", {})

    assert cut.plan == (Conv(24, 5, 2), 32, "M", 48)
    assert cut.search_layers == ("C2_1",)
    shown = images()
    with torch.no_grad():
        expected = whole.tapped(["C2_1"])(shown)["C2_1"]
        found = find_network(str(tmp_path / "cut.safetensors")).tapped(["C2_1"])(shown)["C2_1"]
    assert torch.equal(found, expected)


def test_a_layer_that_is_not_there_is_refused_in_one_line(tmp_path: Path, sources: dict[str, NetworkSource]) -> None:
    with pytest.raises(ConfigError, match="vgg19 has no layer C9_9") as error:
        write_cut(tmp_path / "cut.safetensors", sources["vgg19"], "C9_9", {})
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cut.safetensors").exists()


def test_every_known_network_can_be_described_as_a_cut() -> None:
    for known in ARCHITECTURES.values():
        for layer in known.nodes:
            described = NetworkFile("cut", None, (layer,), layer, base=known.name).architecture
            assert list(described.nodes)[-1] == layer
            assert described.plan == known.plan or described.plan is None
