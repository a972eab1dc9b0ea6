"""Reading Zarr stores: arrays into memory, attributes as plain values."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

#: What zarr raises on a store that is missing, damaged or something else.
STORE_ERRORS = (KeyError, TypeError, ValueError, OSError, RuntimeError, zlib.error)


def read_array(group: zarr.Group, name: str) -> NDArray[Any]:
    """Read a whole array."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is no array")
    return np.asarray(array[:])


def read_attributes(group: zarr.Group) -> dict[str, Any]:
    """Read what wsi_scale wrote about a store."""
    attributes: Any = group.attrs["wsi_scale"]
    return dict(attributes)


def store_fingerprint(path: Path) -> str | None:
    """Fingerprint of a store; None where there is none that can be read."""
    try:
        return str(read_attributes(zarr.open_group(path, mode="r"))["fingerprint"])
    except STORE_ERRORS:
        return None
