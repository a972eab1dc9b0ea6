"""Pooled responses and curves of VGG19 against a plain loop over torchvision's own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models
from torchvision.transforms.functional import normalize, to_tensor

from wsi_scale.execution.compute import Compute
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.forward import ladder_responses, place
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network, assemble
from wsi_scale.scale.ladder import geometric_ladder
from wsi_scale.scale.published import published_sizes
from wsi_scale.steps.inputs import NetworkInput, SlideInput
from wsi_scale.steps.search_block import SearchBlock, SearchPlan, search_block

ImageMaker = Callable[..., np.ndarray]

LAYERS = ("C1_2", "C2_2", "C3_4", "C4_4", "C5_4")
#: Where torchvision's vgg19.features holds the ReLU after the last convolution of each block.
RELUS = dict(zip((3, 8, 17, 26, 35), LAYERS, strict=True))
COMPUTE = Compute("cpu", "float32", 1, 0.1)


def torchvision_features() -> nn.Module:
    """Convolutions of torchvision's VGG19 without its 480 MB of classifier."""
    with torch.device("meta"):
        features = models.vgg19().features
    return features.to_empty(device="cpu")


def plain_loop(features: nn.Module, image: np.ndarray, deepest: int = 35) -> dict[str, np.ndarray]:
    """Layer → (channel,) spatial mean of the ReLU's output for one image, without any of the package's code."""
    batch = normalize(to_tensor(Image.fromarray(image)), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])[None]
    means = {}
    with torch.no_grad():
        for index, module in enumerate(features[: deepest + 1]):
            batch = module(batch)
            if index in RELUS:
                means[RELUS[index]] = batch.double().mean(dim=(0, 2, 3)).numpy()
    return means


def assert_equal_to_loop(network: Network, features: nn.Module, rungs: list[np.ndarray]) -> None:
    actual = ladder_responses(place(network, COMPUTE), rungs, COMPUTE)
    assert set(actual) == set(LAYERS)
    for number, rung in enumerate(rungs):
        for index, image in enumerate(rung):
            for layer, expected in plain_loop(features, image).items():
                found = actual[layer][index, :, number]
                # Channels of which nothing is alive have no relative error.
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max(), err_msg=layer)
                assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)


def ladder_images(make: ImageMaker, count: int, field_um: float) -> list[np.ndarray]:
    """Images of one field of view at all rungs of a ladder."""
    ladder = geometric_ladder(field_um, finest_mpp=0.25, coarsest_mpp=2, rungs_per_octave=2, multiple_px=16, min_px=16)
    return [
        np.stack([np.asarray(Image.fromarray(tile).resize((size, size), 2)) for tile in make(count, 256)])
        for size in ladder.sizes_px
    ]


def test_a_seeded_random_vgg19_answers_as_torchvisions(
    seeded: Callable[[nn.Module], nn.Module], tissue_like: ImageMaker
) -> None:
    features = seeded(torchvision_features())
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    network = assemble(architecture("vgg19"), state, LAYERS, "seeded")
    assert_equal_to_loop(network, features, ladder_images(tissue_like, 2, 32))


@pytest.mark.data
def test_vgg19_with_its_real_weights_answers_to_tissue_as_torchvisions(data_root: Path) -> None:
    file = data_root / "weights" / "vgg19_features.safetensors"
    features = torchvision_features()
    features.load_state_dict({name.removeprefix("features."): v.float() for name, v in load_file(file).items()})
    with Image.open(min((data_root / "tissue").glob("*.jpg"))) as opened:
        crops = [opened.convert("RGB").crop((x, 300, x + 128, 428)) for x in (100, 600)]
    rungs = [np.stack([np.asarray(crop.resize((size, size), 2)) for crop in crops]) for size in (128, 96, 64, 48, 32)]
    assert_equal_to_loop(find_network("vgg19", file).tapped(LAYERS), features.eval(), rungs)


def test_the_published_curves_of_a_slide_equal_a_plain_loop_from_its_pixels(
    tmp_path: Path, seeded: Callable[[nn.Module], nn.Module], tissue_like: ImageMaker
) -> None:
    # A tile of 64 px and two blocks: the whole grid up to ×4 at a hundredth of the cost.
    layers, tile_px = ("C1_2", "C2_2"), 64
    features = seeded(torchvision_features())
    state = {f"features.{name}": value for name, value in features[:9].state_dict().items()}
    save_file(state, tmp_path / "vgg19.safetensors")
    slide = tissue_like(1, 128)[0]
    Image.fromarray(slide).save(tmp_path / "slide.png")
    sizes = published_sizes(tile_px)
    digest = find_network("vgg19", tmp_path / "vgg19.safetensors").tapped(layers).digest
    plan = SearchPlan(
        slide=SlideInput.of(tmp_path / "slide.png"),
        network=NetworkInput("vgg19", tmp_path / "vgg19.safetensors", layers, (), COMPUTE, digest),
        method="published", calibration=None, adaptive=False, block_tiles=8, shared=None, tile_px=tile_px, tile_mpp=0.5,
        tile_width=tile_px, tile_height=tile_px, rungs=sizes, log2_mpp=tuple(range(len(sizes))),
    )  # fmt: skip
    corners = ((40, 64),)
    answer = search_block(SearchBlock(plan, corners, ((0, 0),)))
    for index, (x, y) in enumerate(corners):
        tile = Image.fromarray(slide[y : y + tile_px, x : x + tile_px])
        resized = [np.asarray(tile.resize((size, size), Image.Resampling.BILINEAR)) for size in sizes]
        means = [plain_loop(features, image, deepest=8) for image in resized]
        for layer in layers:
            values = np.stack([mean[layer] for mean in means], axis=1)
            ends = (0, len(sizes) - 1)
            kept = [
                curve
                for curve in values
                if not np.isclose(curve.max(), curve.min())
                and (curve.argmax() not in ends or curve.argmin() not in ends)
            ]
            np.testing.assert_allclose(answer.curves[layer][index], np.mean(kept, axis=0), rtol=1e-4)
