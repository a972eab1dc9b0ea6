"""What classifiers answer to photographs at many sizes: one pass a photograph and size, kept in the cache."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Arrays, compute_here, identity_of_file, kept_arrays, network_identity
from benchmarks.paper.photographs import ORIGINAL_PX, Photograph, classes_of
from wsi_scale.execution.compute import Compute
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.network import Network
from wsi_scale.scale.published import published_sizes

#: Shorter sides at the demo's 21 scales, pixels.
SIZES = published_sizes(ORIGINAL_PX)


@dataclass(frozen=True)
class Passes:
    """Answers of a classifier.

    Attributes
    ----------
    network
        The classifier.
    photographs
        What it answers to.
    responses
        Layer → (photograph, channel, size): means over space; of ``softmax`` and ``logits`` a channel is a class.
    """

    network: Network
    photographs: tuple[Photograph, ...]
    responses: Arrays

    def confidence(self, answer: str = "softmax") -> NDArray[np.float64]:
        """(photograph, size) confidence in the true class, by one of the network's answers."""
        classes = classes_of(self.photographs)[:, None, None]
        chosen = np.take_along_axis(self.responses[answer], classes, axis=1)[:, 0]
        return np.asarray(chosen, np.float64)


class Passer:
    """Passes photographs through one classifier, on this machine's device in float32."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._compute: Compute = compute_here()
        self._placed: Network | None = None

    def passes(self, photographs: Sequence[Photograph], sizes: Sequence[int] = SIZES) -> Passes:
        """Pass photographs at all sizes; one that is kept is not passed again."""
        parts = [self.one(photograph, tuple(sizes)) for photograph in photographs]
        return Passes(
            self.network, tuple(photographs), {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        )

    def one(self, photograph: Photograph, sizes: tuple[int, ...]) -> Arrays:
        """Layer → (channel, size) of one photograph."""
        depends_on = network_identity(self.network, self._compute) | {
            "image": identity_of_file(photograph.path),
            "shorter_side": sizes,
        }
        return kept_arrays("paper", depends_on, lambda: self._make(photograph, sizes))

    def _make(self, photograph: Photograph, sizes: tuple[int, ...]) -> Arrays:
        began = time.monotonic()
        if self._placed is None:
            self._placed = place(self.network, self._compute)
        rungs = [pooled_responses(self._placed, photograph.at(size)[None], self._compute) for size in sizes]
        took = time.monotonic() - began
        print(f"{self.network.name}: {photograph.path.stem}, {len(sizes)} sizes, {took:.0f} s", flush=True)
        return {layer.name: np.stack([rung[layer.name][0] for rung in rungs], axis=-1) for layer in self.network.layers}
