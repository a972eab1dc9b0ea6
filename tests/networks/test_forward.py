"""The batched forward pass."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute
from wsi_scale.networks.architectures import VGG19_PLAN, architecture
from wsi_scale.networks.forward import ladder_responses, place, pooled_responses, respond
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network, assemble
from wsi_scale.networks.preprocessing import normalise

COMPUTE = Compute("cpu", "float32", 1, 1.0)


@pytest.fixture
def network(chain_state: Callable[..., dict[str, torch.Tensor]]) -> Network:
    """Two blocks of VGG19."""
    return assemble(architecture("vgg19"), chain_state(VGG19_PLAN[:5]), ["C2_2", "C1_2"], "seeded")


@pytest.fixture
def images() -> np.ndarray:
    """(tile, row, col, rgb)."""
    return np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), np.uint8)


def test_images_are_normalised_as_torchvision_does() -> None:
    from torchvision.transforms.functional import normalize

    image = torch.arange(2 * 4 * 5 * 3, dtype=torch.uint8).reshape(2, 4, 5, 3)
    expected = normalize(image.permute(0, 3, 1, 2) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    actual = normalise(image)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    assert actual.is_contiguous(memory_format=torch.channels_last)


def test_layers_come_from_shallow_to_deep_whatever_their_order(network: Network, images: np.ndarray) -> None:
    answers = pooled_responses(place(network, COMPUTE), images, COMPUTE)
    assert list(answers) == ["C1_2", "C2_2"]
    assert answers["C1_2"].shape == (7, 64)
    assert answers["C2_2"].shape == (7, 128)
    assert answers["C2_2"].dtype == np.float32


@pytest.mark.parametrize("per_batch", [1, 2, 3, 100])
def test_batches_of_any_size_give_every_tile_its_own_answer(
    network: Network, images: np.ndarray, per_batch: int
) -> None:
    compute = Compute("cpu", "float32", 1, per_batch * 32 * 32 / 1e6)
    placed = place(network, compute)
    together = pooled_responses(placed, images, compute)
    for index in range(len(images)):
        alone = pooled_responses(placed, images[index : index + 1], compute)
        for layer, values in alone.items():
            np.testing.assert_allclose(together[layer][index], values[0], rtol=1e-5, atol=1e-6)


def test_the_same_batch_gives_the_same_bits(network: Network, images: np.ndarray) -> None:
    placed = place(network, COMPUTE)
    once, twice = (pooled_responses(placed, images, COMPUTE) for _ in range(2))
    for layer, values in once.items():
        np.testing.assert_array_equal(values, twice[layer])


def test_images_that_cannot_be_written_to_are_taken_and_left_as_they_are(network: Network, images: np.ndarray) -> None:
    kept = images.copy()
    images.setflags(write=False)
    pooled_responses(place(network, COMPUTE), images, COMPUTE)
    np.testing.assert_array_equal(images, kept)


def test_bfloat16_is_close_and_comes_out_as_float32(network: Network, images: np.ndarray) -> None:
    expected = pooled_responses(place(network, COMPUTE), images, COMPUTE)["C2_2"]
    compute = Compute("cpu", "bfloat16", 1, 1.0)
    actual = pooled_responses(place(network, compute), images, compute)["C2_2"]
    assert actual.dtype == np.float32
    assert np.linalg.norm(actual - expected) < 0.02 * np.linalg.norm(expected)
    assert not np.array_equal(actual, expected)


def test_rungs_that_cannot_be_read_have_no_answer(network: Network) -> None:
    rng = np.random.default_rng(0)
    rungs = [None, *(rng.integers(0, 256, (2, side, side, 3), np.uint8) for side in (32, 16)), None]
    placed = place(network, COMPUTE)
    responses = ladder_responses(placed, rungs, COMPUTE)
    assert responses["C2_2"].shape == (2, 128, 4)
    assert np.isnan(responses["C2_2"][..., [0, 3]]).all()
    for number in (1, 2):
        expected = pooled_responses(placed, rungs[number], COMPUTE)["C2_2"]
        np.testing.assert_array_equal(responses["C2_2"][..., number], expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_answer_depends_neither_on_the_images_beside_it_nor_on_their_number(network: Network, dtype: str) -> None:
    compute = Compute("cpu", dtype, 1, 1.0)
    placed = place(network, compute)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (11, 48, 48, 3), np.uint8))
    whole = respond(placed, images, compute, batch=4)["C2_2"]
    order = torch.from_numpy(np.random.default_rng(1).permutation(11))
    np.testing.assert_array_equal(respond(placed, images[order], compute, batch=4)["C2_2"], whole[order])
    for index in range(11):
        alone = respond(placed, images[index : index + 1], compute, batch=4)["C2_2"]
        np.testing.assert_array_equal(alone[0], whole[index])


@pytest.mark.parametrize("name", ["embedded", "squeezenet1_1"])
def test_chosen_channels_are_those_of_the_whole_network(
    name: str, images: np.ndarray, seeded: Callable[[torch.nn.Module], torch.nn.Module]
) -> None:
    known = architecture("squeezenet1_1")
    whole = (
        find_network(name).tapped(["C2_2", "C3_2", "C4_1"])
        if name == "embedded"
        else assemble(known, seeded(known.build()).state_dict(), ["conv1", "fire3", "fire5"], "seeded")
    )
    first, second, _ = (layer.name for layer in whole.layers)
    chosen = {first: (3, 1), second: (0, 7, 5)}
    narrow = whole.restricted(chosen)
    assert [(layer.name, layer.channels) for layer in narrow.layers] == [(first, 2), (second, 3)]
    assert narrow.digest == whole.digest
    expected = pooled_responses(place(whole, COMPUTE), images, COMPUTE)
    actual = pooled_responses(place(narrow, COMPUTE), images, COMPUTE)
    for layer, numbers in chosen.items():
        np.testing.assert_allclose(actual[layer], expected[layer][:, list(numbers)], rtol=1e-5, atol=1e-6)


def test_a_full_gpu_is_one_line_that_names_the_key(
    network: Network, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: torch.Tensor) -> dict[str, torch.Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    placed = place(network, COMPUTE)
    monkeypatch.setattr(placed, "forward", full)
    with pytest.raises(ConfigError, match=r"7 images of 32 px.*lower execution.batch_mpx \(now 1\)") as caught:
        pooled_responses(placed, images, COMPUTE)
    assert "\n" not in str(caught.value)
