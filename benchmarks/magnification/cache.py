"""Features of draws and tiles, computed once for each network."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from benchmarks.magnification.draws import Source, single_tiles
from wsi_scale.execution.progress import progress


class Looked(Protocol):
    """What an estimator looks at."""

    @property
    def key(self) -> str:
        """Name in caches."""

    def views(self) -> Iterable[tuple[int, NDArray[np.uint8]]]:
        """Yield the downsample and (view, row, col, rgb)."""


Views = list[tuple[int, NDArray[np.float64]]]
Extract = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


def draw_features(draws: Sequence[Looked], extract: Extract, digest: str) -> dict[str, Views]:
    """Features of every draw's views, from the cache where they are there: key → (downsample, (view, feature))."""
    folder = RESULTS / "features" / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    with progress("features", len(draws), unit="draws") as advance:
        for draw in draws:
            path = folder / f"{hashlib.sha256(draw.key.encode()).hexdigest()[:20]}.npz"
            if not path.exists():
                _save(path, [(downsample, extract(images)) for downsample, images in draw.views()])
            found[draw.key] = _load(path)
            advance(1)
    return found


def tile_features(
    sources: Sequence[tuple[int, Source]], extract: Extract, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Features, log2 mpp and cases of the single tiles of numbered sources, from the cache where they are there."""
    path = RESULTS / "features" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        drawn = [single_tiles(source, number) for number, source in sources]
        features = np.concatenate([extract(tiles) for tiles, _ in drawn if len(tiles)])
        truth = np.concatenate([truth for _, truth in drawn])
        cases = np.repeat([source.case for _, source in sources], [len(tiles) for tiles, _ in drawn])
        np.savez(path, features=features.astype(np.float32), truth=truth, cases=cases)
    stored = np.load(path)
    return stored["features"].astype(np.float64), stored["truth"], stored["cases"]


def _save(path: Path, views: Iterable[tuple[int, NDArray[np.float64]]]) -> None:
    parts = list(views)
    downsamples = np.array([downsample for downsample, _ in parts], np.int64)
    counts = np.array([len(features) for _, features in parts], np.int64)
    features = np.concatenate([features for _, features in parts]) if parts else np.zeros((0, 0))
    np.savez(path, downsamples=downsamples, counts=counts, features=features.astype(np.float32))


def _load(path: Path) -> Views:
    stored = np.load(path)
    ends = np.cumsum(stored["counts"])
    parts = np.split(stored["features"].astype(np.float64), ends[:-1]) if len(ends) else []
    return [(int(d), part) for d, part in zip(stored["downsamples"], parts, strict=True)]
