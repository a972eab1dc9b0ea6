"""Zarr stores: their description, and reading their arrays into memory."""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_folder
from wsi_scale.artifacts.formats import FORMAT, UNNUMBERED, check_format
from wsi_scale.errors import ArtifactError

#: What zarr raises on a store that is damaged or something else.
_ERRORS = (LookupError, TypeError, ValueError, OSError, RuntimeError, zlib.error)


#: Where Zarr 3 and Zarr 2 keep what is said of a group, beside its members.
_METADATA = ("zarr.json", ".zattrs", ".zgroup", ".zmetadata")


@contextmanager
def replacing_store(path: Path, members: Collection[str]) -> Iterator[Path]:
    """Give an empty folder beside a store to fill; without an error it then replaces the store.

    Parameters
    ----------
    members
        Names in the store's root, in this and in earlier layouts.

    Raises
    ------
    ArtifactError
        It cannot be written, or another program's store or folder has its name.
    """
    with replacing_folder(path, lambda place: _is_own(place, members)) as part:
        yield part


def _is_own(path: Path, members: Collection[str]) -> bool:
    """Whether a folder is a store of this program; with damaged metadata, its members decide."""
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


def describe(root: zarr.Group, attributes: Mapping[str, Any]) -> None:
    """Store the description of a store, with the version of its layout."""
    root.attrs["wsi_scale"] = {"format": FORMAT, **attributes}


@contextmanager
def reading_store(path: Path, is_none: str, stage: str) -> Iterator[tuple[zarr.Group, dict[str, Any]]]:
    """Open a store for reading, with its description; any fault becomes a one-line error.

    Parameters
    ----------
    is_none
        Message for a damaged store, such as "is not a scale map".
    stage
        What writes it.

    Raises
    ------
    ArtifactError
        Missing, damaged, of another tool, or of another version's layout.
    """
    try:
        root = zarr.open_group(path, mode="r")
        described: Any = root.attrs["wsi_scale"]
        attributes = dict(described)
        check_format(path, int(attributes.pop("format", UNNUMBERED)), stage)
        yield root, attributes
    except FileNotFoundError as error:
        raise ArtifactError(f"no {path}; run `wsi-scale {stage}` first") from error
    except _ERRORS as error:
        raise ArtifactError(f"{path} {is_none} ({error}); run `wsi-scale {stage}` again") from error


def array_in(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Find an array in a group."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is not an array")
    return array


def read_array(group: zarr.Group, name: str) -> NDArray[Any]:
    """Read a whole array, which lies in one file; zarr itself would read a missing file as fill values."""
    array = array_in(group, name)
    if array.size and not array.nchunks_initialized:
        raise ValueError(f"the values of {name} are missing")
    return np.asarray(array[:])
