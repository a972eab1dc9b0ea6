"""The network file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from wsi_scale.errors import ArtifactError, WeightsError
from wsi_scale.networks.file import NetworkFile, read_network_file, write_network_file
from wsi_scale.networks.load import find_network, search_layers

State = dict[str, torch.Tensor]
StateMaker = Callable[..., State]
PLAN = (8, "M", 16, 16, "M", 24)
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
        ("C2_2", 16, 2),
        ("C3_1", 24, 4),
    ]
    assert network.name == "pruned"
    assert source.architecture.feature_layer == "C3_1"
    assert source.architecture.published_layers == ("C1_1", "C2_2", "C3_1")
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
        assert stored.get_tensor("features.0.weight").shape == (8, 3, 3, 3)
    assert content["plan"] == list(PLAN)
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
    with pytest.raises(WeightsError, match=r"no network file .* network=NAME weights=") as error:
        find_network(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"format": 1}', '{"format": 1, "name": "a", "plan": 3}', '{"format": 99}']
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
    write_network_file(path, HEADER, chain_state((8, "M", 16, 17, "M", 24)))
    with pytest.raises(WeightsError, match="another network"):
        find_network(str(path)).tapped(["C3_1"])


def test_a_place_below_a_file_is_refused(written: Path, chain_state: StateMaker) -> None:
    with pytest.raises(ArtifactError, match="cannot write"):
        write_network_file(written / "inside.safetensors", HEADER, chain_state(PLAN))
