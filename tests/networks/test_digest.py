"""A network is known by its parameters up to the deepest tap."""

import hashlib
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision import models

from wsi_scale.networks.architectures import VGG19_PLAN, architecture
from wsi_scale.networks.network import assemble

State = dict[str, torch.Tensor]
StateMaker = Callable[..., State]
VGG19 = architecture("vgg19")


def digest(state: State, *layers: str, name: str = "vgg19") -> str:
    return assemble(architecture(name), state, layers, "seeded").digest


@pytest.fixture
def state(chain_state: StateMaker) -> State:
    """Two blocks of VGG19."""
    return chain_state(VGG19_PLAN[:5])


def test_it_is_over_the_values_as_halves_in_order_of_depth(state: State) -> None:
    expected = hashlib.sha256()
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        half = state[f"features.{name}"].half()
        expected.update(repr(tuple(half.shape)).encode())
        expected.update(half.numpy().tobytes())
    assert digest(state, "C1_2") == expected.hexdigest()


def test_halves_and_singles_of_the_same_values_are_the_same_network(state: State) -> None:
    halves = {name: value.half() for name, value in state.items()}
    assert digest(halves, "C2_2") == digest(state, "C2_2")


def test_every_parameter_up_to_the_tap_counts(state: State) -> None:
    before = digest(state, "C2_2")
    for name, value in state.items():
        flat = value.view(-1)
        kept = float(flat[-1])
        flat[-1] = kept + 0.01
        assert digest(state, "C2_2") != before, name
        flat[-1] = kept
    assert digest(state, "C2_2") == before


def test_what_lies_beyond_the_deepest_tap_does_not_count(state: State) -> None:
    before = digest(state, "C1_2")
    state["features.5.weight"] += 1
    state["classifier.0.weight"] = torch.zeros(3)
    assert digest(state, "C1_2") == before
    only = {name: value for name, value in state.items() if name.split(".")[1] in "02"}
    assert digest(only, "C1_2") == before


def test_shallower_taps_beside_the_deepest_do_not_count(state: State) -> None:
    assert digest(state, "C1_2", "C2_2") == digest(state, "C2_2") == digest(state, "C2_2", "C1_1", "C2_2")
    assert digest(state, "C2_1") != digest(state, "C2_2")


@pytest.mark.parametrize(
    ("name", "build", "layer", "beyond"),
    [
        ("squeezenet1_1", models.squeezenet1_1, "fire5", ["features.9.squeeze.weight", "classifier.1.bias"]),
        ("resnet50", models.resnet50, "layer1", ["layer2.0.conv1.weight", "fc.weight"]),
    ],
)
def test_it_holds_for_networks_that_are_no_chains(
    seeded: Callable[[nn.Module], nn.Module],
    name: str,
    build: Callable[[], nn.Module],
    layer: str,
    beyond: list[str],
) -> None:
    state = seeded(build()).state_dict()
    before = digest(state, layer, name=name)
    for key in beyond:
        state[key] = state[key] + 1
    assert digest(state, layer, name=name) == before
    first = next(key for key in state if key.endswith("weight"))
    state[first] = state[first] + 1
    assert digest(state, layer, name=name) != before


def test_statistics_of_batch_norm_count_and_counters_do_not(seeded: Callable[[nn.Module], nn.Module]) -> None:
    state = seeded(models.resnet50()).state_dict()
    before = digest(state, "stem", name="resnet50")
    state["bn1.num_batches_tracked"] = torch.tensor(7)
    assert digest(state, "stem", name="resnet50") == before
    del state["bn1.num_batches_tracked"]
    assert digest(state, "stem", name="resnet50") == before
    state["bn1.running_var"] = state["bn1.running_var"] + 1
    assert digest(state, "stem", name="resnet50") != before
