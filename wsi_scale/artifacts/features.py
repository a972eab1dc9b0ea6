"""``features.zarr``: what a layer answers to each tile at several mpp, and at the tile's optimal mpp."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wsi_scale.artifacts.stores import STORE_ERRORS, read_array, read_attributes, replacing_store, store_fingerprint
from wsi_scale.errors import ArtifactError

NAME = "features.zarr"
#: Tiles in one chunk, a multiple of any block.
_CHUNK_TILES = 1024


@dataclass(frozen=True)
class Features:
    """Features in memory, rows as in tiles.parquet.

    Attributes
    ----------
    features
        (tile, mpp, channel) float32; NaN where the mpp is finer than the slide holds or the field cannot be decoded.
    features_optimal
        (tile, channel) float32; NaN where the tile has no optimal mpp or its field cannot be decoded.
    mpps
        (mpp,) µm per pixel.
    padded_share
        (tile, mpp) share of the field outside the slide, filled with the background colour.
    attributes
        Network, layer, digest, fingerprint; ``unreadable_tiles`` where there are any.
    """

    features: NDArray[np.float32]
    features_optimal: NDArray[np.float32]
    mpps: NDArray[np.float64]
    padded_share: NDArray[np.float32]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class FeatureWriter:
    """Open arrays of a store that is being written, by rows of tiles."""

    root: zarr.Group
    arrays: dict[str, zarr.Array[Any]]

    def note_unreadable(self, tiles: int) -> None:
        """Write down how many tiles could not be decoded."""
        self.root.attrs["wsi_scale"] = read_attributes(self.root) | {"unreadable_tiles": tiles}

    def put(
        self,
        rows: slice,
        features: NDArray[np.float32],
        optimal: NDArray[np.float32],
        padded: NDArray[np.float32],
    ) -> None:
        """Write the rows of some tiles; one process writes, in order."""
        for name, values in (("features", features), ("features_optimal", optimal), ("padded_share", padded)):
            self.arrays[name][rows] = values


@contextmanager
def writing_features(
    folder: Path, tiles: int, mpps: NDArray[np.float64], channels: int, attributes: dict[str, Any]
) -> Iterator[FeatureWriter]:
    """Open a new store to be filled; it takes its place when the body ends without an error."""
    with replacing_store(folder / NAME, ("features", "features_optimal", "padded_share", "mpp")) as part:
        root = zarr.open_group(part, mode="w", zarr_format=3)
        root.attrs["wsi_scale"] = attributes
        arrays = {}
        chunk = max(1, min(tiles, _CHUNK_TILES))
        for name, shape, dims in (
            ("features", (tiles, len(mpps), channels), ("tile", "mpp", "channel")),
            ("features_optimal", (tiles, channels), ("tile", "channel")),
            ("padded_share", (tiles, len(mpps)), ("tile", "mpp")),
        ):
            chunks = tuple(max(1, extent) for extent in (chunk, *shape[1:]))
            arrays[name] = root.create_array(
                name, shape=shape, dtype="float32", chunks=chunks, dimension_names=dims, fill_value=np.nan
            )
        if len(mpps):
            root.create_array("mpp", data=mpps, dimension_names=("mpp",))
        yield FeatureWriter(root, arrays)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
            zarr.consolidate_metadata(part)


def read_features(folder: Path) -> Features:
    """Read a store into memory.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    with _opened(folder) as root:
        values = {name: read_array(root, name) for name in ("features", "features_optimal", "padded_share")}
        mpps = read_array(root, "mpp") if "mpp" in root else np.zeros(0)
        return Features(**values, mpps=mpps, attributes=read_attributes(root))


def unreadable_tiles(folder: Path) -> int:
    """Tiles of a store that could not be decoded.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    with _opened(folder) as root:
        return int(read_attributes(root).get("unreadable_tiles", 0))


@contextmanager
def _opened(folder: Path) -> Iterator[zarr.Group]:
    """Open a store to read from; what is wrong with it becomes one line."""
    path = folder / NAME
    try:
        yield zarr.open_group(path, mode="r")
    except FileNotFoundError as error:
        raise ArtifactError(f"no {path}; run `wsi-scale extract` first") from error
    except STORE_ERRORS as error:
        raise ArtifactError(f"{path} holds no features ({error}); run `wsi-scale extract` again") from error


def features_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the features in a folder; None where there are none that can be read."""
    return store_fingerprint(folder / NAME)
