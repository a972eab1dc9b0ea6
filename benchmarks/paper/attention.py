"""Figure 3: where VGG19 finds evidence of the true class, at several scales (Grad-CAM, Selvaraju et al. 2017)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from scipy.ndimage import zoom
from torch import nn

from benchmarks.cache import Arrays, compute_here, identity_of_file, kept_arrays, network_identity
from benchmarks.paper.networks import find_classifier
from benchmarks.paper.photographs import ORIGINAL_PX, SEED, Photograph
from benchmarks.paper.study import Study, new_figure, save, with_interval
from wsi_scale.networks.network import Network
from wsi_scale.networks.preprocessing import normalise

#: Shorter sides, pixels, and the last activated convolution of VGG19.
SIZES, LAYER = (74, 112, 149, ORIGINAL_PX, 336, 448), "features.35"
#: Maps are compared on a grid of as many cells a side, as C5_4 has at 224 px.
CELLS = 14
PHOTOGRAPHS, SHOWN = 40, 5


class Logits(nn.Module):
    """A trunk with a classifier that answers logits alone, as Captum expects; no map is changed in place."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        for module in trunk.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (n, 3, row, col) to (n, class)."""
        logits: torch.Tensor = self.trunk(images)["logits"]
        return logits.flatten(1)


def attention(classifier: nn.Module, layer: nn.Module, photograph: Photograph, size: int) -> NDArray[np.float32]:
    """Grad-CAM of the true class at one size: (row, col) of the layer's map, 0 where there is no evidence for it."""
    image = normalise(torch.from_numpy(photograph.at(size).copy())[None]).float()
    found = LayerGradCam(classifier, layer).attribute(image, photograph.class_index, relu_attributions=True)
    values: NDArray[np.float32] = found.detach().numpy()[0, 0]
    return values


def as_shares(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bring a map to one grid whatever its size and shape, (CELLS, CELLS) summing to 1; NaN for an empty map."""
    scaled = zoom(
        values.astype(np.float64), [CELLS / extent for extent in values.shape], order=1, grid_mode=True, mode="nearest"
    )
    total = scaled.sum()
    return scaled / total if total > 0 else np.full_like(scaled, np.nan)


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shared part of maps (…, row, col) that sum to 1: 0–1."""
    shared: NDArray[np.float64] = np.minimum(first, second).sum(axis=(-2, -1))
    return shared


def shift(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of the centres of mass of maps (…, row, col), as a share of the image's side."""
    place = (np.arange(CELLS) + 0.5) / CELLS
    centres = [np.stack([(m.sum(axis=-1) * place).sum(-1), (m.sum(axis=-2) * place).sum(-1)]) for m in (first, second)]
    distance: NDArray[np.float64] = np.hypot(*(centres[0] - centres[1]))
    return distance


def figure(study: Study) -> dict[str, Any]:
    """Measure how far attention moves with scale, print and draw."""
    network = find_classifier("vgg19")
    if network is None:
        raise SystemExit("error: attention needs complete weights of VGG19")
    photographs = study.photographs[:PHOTOGRAPHS]
    parts = [_kept(network, photograph) for photograph in photographs]
    maps = {size: np.stack([as_shares(part[str(size)]) for part in parts]) for size in SIZES}
    table = _figures(maps)
    for name, row in table["sizes"].items():
        print(f"{name} px: {row}")
    _draw({size: values[:SHOWN] for size, values in maps.items()}, [p.name for p in photographs[:SHOWN]])
    return table


def _kept(network: Network, photograph: Photograph) -> Arrays:
    depends_on = network_identity(network, compute_here()) | {
        "image": identity_of_file(photograph.path),
        "grad-cam": [LAYER, photograph.class_index, SIZES],
    }
    return kept_arrays("paper-attention", depends_on, lambda: _maps(network, photograph))


def _maps(network: Network, photograph: Photograph) -> Arrays:
    compute_here().use_threads()
    # The trunk within: the demo's form beside it passes the same layer again.
    trunk = network.get_submodule("trunk.trunk")
    classifier, layer = Logits(trunk).eval(), trunk.get_submodule(f"extractor.{LAYER}")
    return {str(size): attention(classifier, layer, photograph, size) for size in SIZES}


def _figures(maps: Mapping[int, NDArray[np.float64]]) -> dict[str, Any]:
    """Overlap and shift against the original size; of other photographs as a control."""
    original = maps[ORIGINAL_PX]
    known = np.all(np.isfinite(np.stack(list(maps.values()))), axis=(0, 2, 3))
    original = original[known]
    others = np.random.default_rng(SEED).permutation(len(original))
    others = np.where(others == np.arange(len(original)), np.roll(others, 1), others)
    compared = {str(size): values[known] for size, values in maps.items() if size != ORIGINAL_PX}
    compared[f"{ORIGINAL_PX}, another photograph"] = original[others]
    rows = {
        name: {"overlap": with_interval(overlap(original, values)), "shift": with_interval(shift(original, values))}
        for name, values in compared.items()
    }
    return {"photographs": int(known.sum()), "without evidence at some size": int((~known).sum()), "sizes": rows}


def _draw(maps: Mapping[int, NDArray[np.float64]], names: list[str]) -> None:
    picture = new_figure(1.25 * len(maps), 1.4 * len(names))
    panels = picture.subplots(len(names), len(maps), squeeze=False)
    for column, (size, values) in enumerate(maps.items()):
        panels[0, column].set_title(f"{size} px", fontsize=9)
        for row, name in enumerate(names):
            axes = panels[row, column]
            axes.imshow(values[row], cmap="magma", vmin=0)
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(name, fontsize=7.5)
    save(picture, "attention")
