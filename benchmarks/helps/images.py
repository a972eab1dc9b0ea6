"""Fields shown to a network at chosen sizes: the tissue stays the same, the pixels become more or fewer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.cache import FEATURES, Responses, images_identity, kept_arrays, network_identity
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network
from wsi_scale.slides.field import resize_square

#: Networks that features are taken from, and their layers: the last of each block. VGG19 is cut where the search
#: cuts it, because it is slow.
CLASSIFIERS = {
    "embedded": ("C1_2", "C2_2", "C3_2", "C4_2"),
    "squeezenet1_1": ("conv1", "fire3", "fire5", "fire9"),
    "vgg19": ("C1_2", "C2_2", "C3_4"),
}
#: Networks that see each so-manieth patch only: VGG19 takes 50 times as long as SqueezeNet.
THINNED = {"vgg19": 3}
#: Sizes are multiples of this, and no image is smaller or larger, pixels.
MULTIPLE_PX, LEAST_PX, MOST_PX = 4, 24, 384
#: Constant that keeps a logarithm finite, beside a layer's mean response over the training images.
FLOOR = 1e-3

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Reader:
    """A network at work.

    Attributes
    ----------
    network, compute
        The network as it is placed, and where it runs.
    """

    network: Network
    compute: Compute

    @classmethod
    def of(cls, name: str) -> "Reader":
        """Load a classifier's network; VGG19 runs in the dtype that is fastest here."""
        settings = ExecutionConfig(dtype="auto" if name == "vgg19" else "float32", threads=torch.get_num_threads())
        compute = resolve(settings)
        return cls(place(find_network(name).tapped(CLASSIFIERS[name]), compute), compute)

    def responses(self, images: Pixels, sizes_px: NDArray[np.int64], name: str) -> Responses:
        """Spatial means of fields, each shown at its own size, from the cache where they are there.

        Parameters
        ----------
        images
            (image, row, col, rgb), square.
        sizes_px
            (image,) side at which each is shown.
        name
            What the images are.
        """
        depends_on: dict[str, Any] = network_identity(self.network, self.compute)
        depends_on |= {"images": images_identity(images), "sizes": sizes_px.tolist()}
        return kept_arrays(f"helps-{name}", depends_on, lambda: self._pass(images, sizes_px, name), FEATURES)

    def _pass(self, images: Pixels, sizes_px: NDArray[np.int64], name: str) -> Responses:
        found = {layer.name: np.zeros((len(images), layer.channels), np.float32) for layer in self.network.layers}
        with progress(f"{self.network.name}, {name}", len(images), unit="images") as advance:
            for size in np.unique(sizes_px):
                rows = np.flatnonzero(sizes_px == size)
                shown = resized(images[rows], int(size))
                for layer, values in pooled_responses(self.network, shown, self.compute).items():
                    found[layer][rows] = values
                advance(len(rows))
        return found


def resized(images: Pixels, size_px: int) -> Pixels:
    """Resample square images to one side by the filter that slides are read with; of their own side they stay."""
    return images if images.shape[1] == size_px else np.stack([resize_square(image, size_px) for image in images])


def sizes_for(side_px: float, octaves: Floats) -> NDArray[np.int64]:
    """Sides of images of ``side_px`` enlarged by so many octaves, as whole sizes that are computed.

    >>> sizes_for(96, np.array([-1.0, 0.0, 0.02, 9.0])).tolist()
    [48, 96, 96, 384]
    """
    wanted = np.round(side_px * 2.0 ** np.asarray(octaves) / MULTIPLE_PX) * MULTIPLE_PX
    sizes: NDArray[np.int64] = np.clip(wanted, LEAST_PX, MOST_PX).astype(np.int64)
    return sizes


def log_features(responses: Responses, means: Mapping[str, float]) -> Floats:
    """Logarithms of responses over their layer's mean, (image, feature)."""
    parts = [np.log(np.asarray(values, np.float64) / means[name] + FLOOR) for name, values in responses.items()]
    return np.concatenate(parts, axis=1)


def layer_means(responses: Responses) -> dict[str, float]:
    """Mean response of each layer."""
    return {name: float(values.mean()) for name, values in responses.items()}
