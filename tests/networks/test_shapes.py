"""Networks whose convolutions are narrower than their architecture's, or split in two, load by their weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from wsi_scale.errors import WeightsError
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.file import NetworkFile, write_network_file
from wsi_scale.networks.load import find_network
from wsi_scale.networks.shapes import fit_shapes

State = dict[str, torch.Tensor]


def narrowed(squeezed: int) -> State:
    """Seeded weights of SqueezeNet's first layers, one of them narrower."""
    torch.manual_seed(0)
    state = dict(architecture("squeezenet1_1").build().state_dict())
    for end in ("squeeze.weight", "squeeze.bias"):
        state[f"features.3.{end}"] = state[f"features.3.{end}"][:squeezed]
    for end in ("expand1x1.weight", "expand3x3.weight"):
        state[f"features.3.{end}"] = state[f"features.3.{end}"][:, :squeezed]
    return state


def written(path: Path, state: State, base: str = "squeezenet1_1", layer: str = "fire3") -> Path:
    write_network_file(path, NetworkFile("small", None, (layer,), layer, {}, base), state)
    return path


def test_a_narrower_convolution_loads_by_its_weights(tmp_path: Path) -> None:
    path = written(tmp_path / "small.safetensors", narrowed(5))
    network = find_network(str(path)).tapped(["fire3"])
    assert network.trunk.get_submodule("features.3.squeeze").out_channels == 5  # type: ignore[union-attr]
    assert network(torch.randn(1, 3, 64, 64))["fire3"].shape == (1, 128)


def test_a_split_convolution_loads_by_its_weights(tmp_path: Path) -> None:
    state = narrowed(16)
    whole = state.pop("features.3.squeeze.weight").half().float()
    u, s, vt = torch.linalg.svd(whole.flatten(1), full_matrices=False)
    state["features.3.squeeze.0.weight"] = vt[:, :, None, None]
    state["features.3.squeeze.1.weight"] = (u * s)[:, :, None, None]
    state["features.3.squeeze.1.bias"] = state.pop("features.3.squeeze.bias")
    split = find_network(str(written(tmp_path / "split.safetensors", state))).tapped(["fire2", "fire3"])
    plain = find_network(str(written(tmp_path / "plain.safetensors", narrowed(16)))).tapped(["fire2", "fire3"])
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for layer in ("fire2", "fire3"):
            assert torch.allclose(split(images)[layer], plain(images)[layer], atol=0.01)


def test_layers_that_do_not_fit_together_are_refused_in_one_line(tmp_path: Path) -> None:
    state = narrowed(5)
    state["features.3.expand1x1.weight"] = state["features.3.expand1x1.weight"][:, :3]
    path = written(tmp_path / "wrong.safetensors", state)
    with pytest.raises(WeightsError, match="do not fit together") as error:
        find_network(str(path)).tapped(["fire3"])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_of_a_named_network_have_its_shapes(tmp_path: Path) -> None:
    torch.save(narrowed(5), tmp_path / "squeezenet1_1.pth")
    with pytest.raises(WeightsError, match="belongs to another network"):
        find_network("squeezenet1_1", tmp_path / "squeezenet1_1.pth").tapped(["fire3"])


def test_a_narrower_batch_norm_and_other_kernels() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1))
    state = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 4, 3)).state_dict()
    fit_shapes(module, state)
    assert module[0].weight.shape == (5, 3, 3, 3)
    assert module[1].num_features == 5
    # Another kernel is another network: loading will say so.
    assert module[2].weight.shape == (4, 8, 1, 1)
