"""Reading Zarr stores: arrays into memory, attributes as plain values."""

import json
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_folder

#: What zarr raises on a store that is missing, damaged or something else.
STORE_ERRORS = (KeyError, TypeError, ValueError, OSError, RuntimeError, zlib.error)


#: Where Zarr 3 and Zarr 2 keep what is said of a group, beside its members.
_METADATA = ("zarr.json", ".zattrs", ".zgroup", ".zmetadata")


@contextmanager
def replacing_store(path: Path, members: Collection[str]) -> Iterator[Path]:
    """Give an empty folder beside a store to fill; on leaving without an error it takes its place.

    Parameters
    ----------
    members
        Names in the store's root.

    Raises
    ------
    ArtifactError
        It cannot be written, or somebody else's store or folder is in its place.
    """
    with replacing_folder(path, lambda place: _is_own(place, members)) as part:
        yield part


def _is_own(path: Path, members: Collection[str]) -> bool:
    """Whether a folder is a store of this program; one whose metadata are damaged is told by its members."""
    if not path.is_dir():
        return False
    for name in ("zarr.json", ".zattrs"):
        try:
            content = json.loads((path / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            return "wsi_scale" in (content if name == ".zattrs" else content.get("attributes") or {})
    return {entry.name for entry in path.iterdir()} <= {*_METADATA, *members}


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
