"""The network file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from wsi_scale.errors import ArtifactError, ConfigError, WeightsError
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.chain import EMBEDDED_PLAN, Conv
from wsi_scale.networks.file import NetworkFile, read_network_file, write_network_file
from wsi_scale.networks.load import find_network, search_layers

State = dict[str, torch.Tensor]
StateMaker = Callable[..., State]
PLAN = (Conv(8, 5, 2), "M", 16, 16, "M", 24)
HEADER = NetworkFile("pruned", PLAN, ("C2_2", "C3_1"), "C3_1", {"parent": "vgg19", "data": ["tissue"]})


@pytest.fixture
def written(tmp_path: Path, chain_state: StateMaker) -> Path:
    """A network file."""
    path = tmp_path / "pruned.safetensors"
    write_network_file(path, HEADER, chain_state(PLAN))
    return path


def with_header(path: Path, text: str) -> None:
    """Save weights under any text as a header."""
    save_file({"features.0.bias": torch.zeros(8)}, path, metadata={"wsi_scale_network": text})


def test_a_network_file_comes_back_with_its_header_and_halves(written: Path, chain_state: StateMaker) -> None:
    header, state = read_network_file(written)
    assert header == HEADER
    for name, value in chain_state(PLAN).items():
        torch.testing.assert_close(state[name], value.half(), rtol=0, atol=0)


def test_it_is_enough_to_build_the_network(written: Path) -> None:
    source = find_network(str(written))
    network = source.tapped(search_layers(source, "covariant", None))
    assert [(layer.name, layer.channels, layer.stride) for layer in network.layers] == [
        ("C2_2", 16, 4),
        ("C3_1", 24, 8),
    ]
    assert network.name == "pruned"
    assert source.architecture.feature_layer == "C3_1"
    assert source.architecture.block_ends == ("C1_1", "C2_2", "C3_1")
    assert network(torch.zeros(2, 3, 32, 32))["C3_1"].shape == (2, 24)


def test_layers_that_are_configured_win_over_the_networks_own(written: Path) -> None:
    source = find_network(str(written))
    assert search_layers(source, "covariant", ["C1_1"]) == ("C1_1",)
    assert search_layers(source, "published", None) == ("C1_1", "C2_2", "C3_1")


def test_the_same_network_gives_the_same_bytes(written: Path, tmp_path: Path, chain_state: StateMaker) -> None:
    state = chain_state(PLAN)
    write_network_file(tmp_path / "again.safetensors", HEADER, dict(reversed(state.items())))
    assert (tmp_path / "again.safetensors").read_bytes() == written.read_bytes()


def test_it_opens_without_the_package(written: Path) -> None:
    with safe_open(written, "pt") as stored:
        content = json.loads(stored.metadata()["wsi_scale_network"])
        assert stored.get_tensor("features.0.weight").shape == (8, 3, 5, 5)
    assert content["plan"] == [[8, 5, 2], "M", 16, 16, "M", 24]
    assert content["provenance"] == {"parent": "vgg19", "data": ["tissue"]}


def test_what_is_missing_or_damaged_is_refused_in_one_line(tmp_path: Path, written: Path) -> None:
    content = written.read_bytes()
    files = {name: tmp_path / f"{name}.safetensors" for name in ("missing", "empty", "cut", "header cut", "text")}
    files["empty"].touch()
    files["cut"].write_bytes(content[:-10])
    files["header cut"].write_bytes(content[:50])
    files["text"].write_text("no network at all")
    for path in files.values():
        with pytest.raises(WeightsError) as error:
            find_network(str(path))
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_plain_weights_are_refused_and_the_way_to_use_them_named(tmp_path: Path) -> None:
    path = tmp_path / "vgg19.safetensors"
    save_file({"features.0.bias": torch.zeros(64)}, path)
    with pytest.raises(WeightsError, match=r"not a network file .* network=NAME weights=") as error:
        find_network(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "{}", '{"format": 1}', '{"format": 1, "name": "a", "plan": 3}', '{"format": 99}'),
        '{"format": 1, "name": "a", "plan": ["P"], "search_layers": [], "feature_layer": "C1_1", "provenance": {}}',
    ],
)
def test_a_header_of_something_else_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.safetensors"
    with_header(path, text)
    with pytest.raises(WeightsError) as error:
        read_network_file(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_that_do_not_fit_the_plan_are_refused(tmp_path: Path, chain_state: StateMaker) -> None:
    path = tmp_path / "wrong.safetensors"
    write_network_file(path, HEADER, chain_state((Conv(8, 5, 2), "M", 16, 17, "M", 24)))
    with pytest.raises(WeightsError, match="another network"):
        find_network(str(path)).tapped(["C3_1"])


def test_a_file_that_was_written_before_there_were_cuts_is_read(tmp_path: Path, chain_state: StateMaker) -> None:
    text = {
        "format": 1, "name": "old", "plan": [8, "M", 16], "search_layers": ["C1_1"], "feature_layer": "C2_1",
        "provenance": {},
    }  # fmt: skip
    save_file(chain_state((8, "M", 16)), tmp_path / "old", metadata={"wsi_scale_network": json.dumps(text)})
    assert read_network_file(tmp_path / "old")[0] == NetworkFile("old", (8, "M", 16), ("C1_1",), "C2_1")


def test_a_network_that_is_no_chain_names_what_it_is_a_cut_of(
    tmp_path: Path, seeded: Callable[[nn.Module], nn.Module]
) -> None:
    whole = architecture("squeezenet1_1")
    header = NetworkFile("mine", None, ("fire2", "fire3"), "fire4", {"parent": "squeezenet1_1"}, "squeezenet1_1")
    write_network_file(tmp_path / "mine.safetensors", header, seeded(whole.build()).state_dict())

    source = find_network(str(tmp_path / "mine.safetensors"))

    assert read_network_file(tmp_path / "mine.safetensors")[0] == header
    described = source.architecture
    assert (described.name, described.feature_layer, described.min_px) == ("mine", "fire4", whole.min_px)
    assert list(described.nodes) == ["conv1", "fire2", "fire3", "fire4"]
    assert described.block_ends == ("conv1", "fire3")
    assert search_layers(source, "covariant", None) == ("fire2", "fire3")
    with pytest.raises(ConfigError, match="mine has no layer fire5"):
        source.tapped(["fire5"])


def test_without_a_plan_and_a_base_the_name_says_what_it_is(
    tmp_path: Path, seeded: Callable[[nn.Module], nn.Module]
) -> None:
    state = seeded(architecture("squeezenet1_1").build()).state_dict()
    write_network_file(tmp_path / "a", NetworkFile("squeezenet1_1", None, ("fire2",), "fire3"), state)
    assert find_network(str(tmp_path / "a")).tapped(["fire3"]).layers[0].channels == 128
    write_network_file(tmp_path / "b", NetworkFile("nobody knows", None, ("fire2",), "fire3"), state)
    with pytest.raises(ConfigError, match="nobody knows"):
        find_network(str(tmp_path / "b"))


def test_the_embedded_plan_comes_back_as_it_was(tmp_path: Path, chain_state: StateMaker) -> None:
    header = NetworkFile("embedded", EMBEDDED_PLAN, ("C2_1",), "C4_2")
    write_network_file(tmp_path / "e", header, chain_state(EMBEDDED_PLAN))
    assert read_network_file(tmp_path / "e")[0].plan == EMBEDDED_PLAN


def test_a_place_below_a_file_is_refused(written: Path, chain_state: StateMaker) -> None:
    with pytest.raises(ArtifactError, match="cannot write"):
        write_network_file(written / "inside.safetensors", HEADER, chain_state(PLAN))
