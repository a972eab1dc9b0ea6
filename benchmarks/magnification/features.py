"""Features of draws and of single tiles by one network, from the cache where they are there."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Arrays, kept_arrays, network_identity
from benchmarks.magnification.draws import SEED, TILE_PX, TILES_PER_FIELD, single_tiles
from benchmarks.sources import Source
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.progress import progress
from wsi_scale.magnification.estimate import Views
from wsi_scale.magnification.stain import STAINED, absorbed_light
from wsi_scale.networks.network import Network

#: What an estimator reads of each set of views; where they lie does not matter here.
ViewFeatures = list[Views]


class HasViews(Protocol):
    """An image, or images that belong together, of which an estimator reads views."""

    @property
    def key(self) -> str:
        """Name in tables."""

    @property
    def identity(self) -> Any:
        """All that the views depend on, JSON-able."""

    def views(self) -> Iterable[tuple[int, NDArray[np.uint8]]]:
        """Yield the downsample and (view, row, col, rgb)."""


class Extractor(Protocol):
    """A network and the features that a head reads of it."""

    @property
    def network(self) -> Network:
        """The placed network."""

    @property
    def compute(self) -> Compute:
        """Where it runs."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Features of images: (image, row, col, rgb) → (image, feature)."""


def draw_features(draws: Sequence[HasViews], extractor: Extractor) -> dict[str, ViewFeatures]:
    """Features of every draw's views and the light that they absorb, by the draw's key."""
    network = network_identity(extractor.network, extractor.compute)
    found = {}
    with progress("features", len(draws), unit="draws") as advance:
        for draw in draws:
            found[draw.key] = _view_features(draw, extractor, network)
            advance(1)
    return found


def tile_features(
    sources: Sequence[tuple[int, Source]], extractor: Extractor
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Features, log2 mpp and cases of the single tiles of numbered sources."""

    def make() -> Arrays:
        drawn = [single_tiles(source, number) for number, source in sources]
        features = np.concatenate([extractor.features(tiles) for tiles, _ in drawn if len(tiles)])
        truth = np.concatenate([truth for _, truth in drawn])
        cases = np.repeat([source.case for _, source in sources], [len(tiles) for tiles, _ in drawn])
        return {"features": features.astype(np.float32), "truth": truth, "cases": cases}

    depends_on = network_identity(extractor.network, extractor.compute) | {
        "sources": [[number, source.case, *source.identity] for number, source in sources],
        "tiles": [TILE_PX, TILES_PER_FIELD, SEED],
    }
    kept = kept_arrays("tiles", depends_on, make)
    return kept["features"].astype(np.float64), kept["truth"], kept["cases"]


def _view_features(draw: HasViews, extractor: Extractor, network: dict[str, Any]) -> ViewFeatures:
    def make() -> Arrays:
        parts = [(downsample, extractor.features(images)) for downsample, images in draw.views()]
        return {f"{number}-{downsample}": part.astype(np.float32) for number, (downsample, part) in enumerate(parts)}

    def absorb() -> Arrays:
        return {str(number): absorbed_light(images) for number, (_, images) in enumerate(draw.views())}

    kept = kept_arrays("views", network | {"draw": draw.identity}, make)
    light = kept_arrays("light", {"draw": draw.identity, "stained": STAINED}, absorb)
    return [
        Views(int(name.split("-")[1]), part.astype(np.float64), np.zeros((len(part), 2)), light[name.split("-")[0]])
        for name, part in kept.items()
    ]
