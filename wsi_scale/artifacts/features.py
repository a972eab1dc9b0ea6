"""``features.zarr``: features of each tile at several mpp, and at the tile's optimal mpp."""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wsi_scale.artifacts import names
from wsi_scale.artifacts.shard import ShardWriter, writing_shard
from wsi_scale.artifacts.stores import (
    array_in,
    describe,
    read_array,
    reading_store,
    replacing_store,
)
from wsi_scale.results.features import Features

NAME = names.FEATURES
#: Arrays and their dimensions.
_ARRAYS = {
    "features": ("tile", "mpp", "channel"),
    "features_optimal": ("tile", "channel"),
    "padded_share": ("tile", "mpp"),
}


@dataclass(frozen=True)
class FeatureWriter:
    """Writes the arrays of a store, some tiles at a time."""

    root: zarr.Group
    attributes: dict[str, Any]
    shards: dict[str, ShardWriter]

    def note_unreadable(self, tiles: int) -> None:
        """Store how many tiles could not be decoded."""
        describe(self.root, self.attributes | {"unreadable_tiles": tiles})

    def put(
        self,
        rows: NDArray[np.integer],
        features: NDArray[np.float32],
        optimal: NDArray[np.float32],
        padded: NDArray[np.float32],
    ) -> None:
        """Write the rows of some tiles, given by their numbers; one process writes, what is near in turn."""
        for name, values in zip(_ARRAYS, (features, optimal, padded), strict=True):
            self.shards[name].put(rows, values)


@contextmanager
def writing_features(
    folder: Path, tiles: int, mpps: NDArray[np.float64], channels: int, attributes: dict[str, Any]
) -> Iterator[FeatureWriter]:
    """Open a new store to fill; it replaces the old one when the body ends without an error."""
    extents = {"tile": tiles, "mpp": len(mpps), "channel": channels}
    with replacing_store(folder / NAME, (*_ARRAYS, "mpp")) as part:
        root = zarr.open_group(part, mode="w", zarr_format=3)
        describe(root, attributes)
        with ExitStack() as stack:
            shards = {}
            for name, dimensions in _ARRAYS.items():
                shape = tuple(extents[dimension] for dimension in dimensions)
                said = {"mpp": mpps.tolist()} if name == "features" else {}
                shards[name] = stack.enter_context(writing_shard(part, name, shape, dimensions, said))
            yield FeatureWriter(root, attributes, shards)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
            zarr.consolidate_metadata(part)


def read_features(folder: Path) -> Features:
    """Read a store into memory.

    Raises
    ------
    ArtifactError
        Missing, damaged or of another version's layout.
    """
    with _opened(folder) as (root, attributes):
        values = {name: read_array(root, name) for name in _ARRAYS}
        mpps = np.array(array_in(root, "features").attrs["mpp"], np.float64)
        return Features(**values, mpps=mpps, attributes=attributes)


def unreadable_tiles(folder: Path) -> int:
    """Count the tiles of a store that could not be decoded.

    Raises
    ------
    ArtifactError
        Missing, damaged or of another version's layout.
    """
    with _opened(folder) as (_, attributes):
        return int(attributes.get("unreadable_tiles", 0))


def _opened(folder: Path) -> AbstractContextManager[tuple[zarr.Group, dict[str, Any]]]:
    return reading_store(folder / NAME, "holds no features", "extract")
