"""The cache of features: what is kept, and what makes it compute anew."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import cache
from benchmarks.cache import Arrays, images_identity, kept_arrays, network_identity
from benchmarks.magnification.draws import Draw
from benchmarks.magnification.extremes import Extreme
from benchmarks.sources import Source
from wsi_scale.execution.compute import Compute
from wsi_scale.networks.forward import pooled_responses
from wsi_scale.networks.network import Layer, Network

COMPUTE = Compute("cpu", "float32", threads=1, batch_mpx=1.0)


class Maker:
    """Makes arrays, and counts how often it was asked to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"b": np.arange(6.0).reshape(2, 3), "a": np.array(["x", "yz"])}


class Means(torch.nn.Module):
    """Answers with the image's channels, at two layers."""

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"deep": images, "shallow": images * 2}


def network(*names: str) -> Network:
    return Network("means", Means(), [Layer(name, 3, 1) for name in names], 1)


def test_arrays_are_made_once_and_read_as_they_were_made(tmp_path: Path) -> None:
    maker = Maker()
    first, second = (kept_arrays("kind", {"images": "1"}, maker, tmp_path / "new") for _ in range(2))
    assert maker.calls == 1
    assert list(first) == list(second) == ["b", "a"]
    np.testing.assert_array_equal(second["b"], [[0, 1, 2], [3, 4, 5]])
    assert second["a"].tolist() == ["x", "yz"]


@pytest.mark.parametrize("other", [{"images": "2", "layers": ["a"]}, {"images": "1", "layers": ["a", "b"]}])
def test_arrays_are_made_anew_for_anything_else_they_depend_on(tmp_path: Path, other: dict[str, Any]) -> None:
    maker = Maker()
    kept_arrays("kind", {"images": "1", "layers": ["a"]}, maker, tmp_path)
    kept_arrays("kind", other, maker, tmp_path)
    kept_arrays("another kind", {"images": "1", "layers": ["a"]}, maker, tmp_path)
    assert maker.calls == 3


def test_another_version_of_the_package_makes_arrays_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker()
    kept_arrays("kind", {}, maker, tmp_path)
    monkeypatch.setattr(cache, "__version__", "another")
    kept_arrays("kind", {}, maker, tmp_path)
    assert maker.calls == 2


def test_arrays_whose_making_failed_are_not_kept(tmp_path: Path) -> None:
    def failing() -> Arrays:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept_arrays("kind", {}, failing, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_images_are_told_apart_by_every_pixel_and_by_their_shape() -> None:
    images = np.zeros((2, 4, 6, 3), np.uint8)
    changed = images.copy()
    changed[1, 3, 5, 2] = 1
    assert images_identity(images) == images_identity(images.copy())
    assert len({images_identity(each) for each in (images, changed, images.reshape(2, 6, 4, 3), images[:1])}) == 4


def test_a_network_is_told_apart_by_layers_device_and_dtype() -> None:
    half = Compute("cpu", "bfloat16", threads=1, batch_mpx=1.0)
    found = [network_identity(network("deep"), COMPUTE), network_identity(network("deep", "shallow"), COMPUTE)]
    found.append(network_identity(network("deep"), half))
    assert all(one != other for number, one in enumerate(found) for other in found[:number])


def test_responses_in_steps_are_those_of_one_pass(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (cache.STEP + 3, 8, 8, 3), np.uint8)
    two = network("shallow", "deep")
    found = cache.responses_to(images, two, COMPUTE, "noise", tmp_path)
    whole = pooled_responses(two, images, COMPUTE)
    assert list(found) == ["shallow", "deep"]
    for layer, values in found.items():
        np.testing.assert_allclose(values, whole[layer], rtol=1e-6)
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["noise"]


def test_views_depend_on_the_images_not_on_their_names(tmp_path: Path) -> None:
    path = tmp_path / "field.png"
    path.write_bytes(b"one")
    draws = [draw(path, 0.5), draw(path, 0.6)]
    path = tmp_path / "renewed.png"
    path.write_bytes(b"two")
    draws.append(draw(path, 0.5))
    pixels = [Extreme("field", "case", 0, 8.0, np.full((9, 9, 3), value, np.uint8)) for value in (1, 2)]
    identities = [str(each.identity) for each in (*draws, *pixels)]
    assert len(set(identities)) == 5
    copy = tmp_path / "copy.png"
    copy.write_bytes(b"one")
    assert draw(copy, 0.5).identity == draws[0].identity


def draw(path: Path, mpp: float) -> Draw:
    source = Source(path, 0.25, "case", "slide", "colon", "scanner", "H&E", "tissue")
    return Draw("tissue", "case", "scanner", "H&E", mpp, 0.5, (source,))
