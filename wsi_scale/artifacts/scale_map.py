"""``scale.ome.zarr``: the scale map as an OME-Zarr image, reasons for missing values, and response curves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray

from wsi_scale.artifacts import names
from wsi_scale.artifacts.stores import (
    array_in,
    describe,
    read_array,
    reading_store,
    replacing_store,
)
from wsi_scale.results.scale_map import CHANNELS, MEANINGS, REASON_COLORS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid

NAME = names.SCALE_MAP
_COLORS = ("FFFFFF", "33BBEE", "EE7733", "BBBBBB", "009988")
#: Display window of what is a share.
_SHARE_WINDOW = {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0}
Version = Literal["0.5", "0.4"]


_LABEL = "reason"
_CURVES = "curves"


def write_scale_map(folder: Path, scale_map: ScaleMap, fingerprint: str, version: Version = "0.5") -> None:
    """Write the map and its curves atomically.

    Parameters
    ----------
    version
        OME-Zarr 0.5 (Zarr 3), or 0.4 (Zarr 2), which QuPath reads.
    """
    with replacing_store(folder / NAME, ("0", "labels", _CURVES)) as part:
        root = zarr.open_group(part, mode="w", zarr_format=3 if version == "0.5" else 2)
        root.attrs.update(_ome(scale_map.grid, scale_map.image, version))
        channels = {label: {"unit": meaning.unit, "meaning": meaning.words} for label, meaning in MEANINGS.items()}
        own = {"fingerprint": fingerprint, "grid": asdict(scale_map.grid), "channels": channels}
        describe(root, {**own, **scale_map.attributes})
        _put(root, "0", scale_map.image, ("c", "y", "x"))
        labels = root.create_group("labels")
        labels.attrs.update(_versioned({"labels": [_LABEL]}, version))
        label = labels.create_group(_LABEL)
        label.attrs.update(_label_ome(scale_map.grid, version))
        _put(label, "0", scale_map.reason[np.newaxis], ("c", "y", "x"))
        _put_curves(root, scale_map)


def read_scale_map(folder: Path) -> tuple[ScaleMap, str]:
    """Read the map and its fingerprint.

    Raises
    ------
    ArtifactError
        Missing, damaged, of another tool or of another version's layout.
    """
    with reading_store(folder / NAME, "is not a scale map", "search") as (root, attributes):
        grid = TileGrid(**attributes.pop("grid"))
        fingerprint = str(attributes.pop("fingerprint"))
        attributes.pop("channels", None)  # in words, for readers of the store alone
        image = read_array(root, "0")[_channel_numbers(root)]
        reason = read_array(root, f"labels/{_LABEL}/0")[0]
        said: Any = array_in(root, _CURVES).attrs
        curves = dict(zip(said["layers"], read_array(root, _CURVES), strict=True))
        rungs = (np.array(said["mpp"], np.float64), np.array(said["interpolated"], np.bool_))
        return ScaleMap(grid, image, reason, curves, *rungs, attributes), fingerprint


def read_channels(folder: Path, labels: Sequence[str]) -> list[NDArray[np.float32]]:
    """Read some channels of the map alone, (row, col) each.

    Raises
    ------
    ArtifactError
        As for :func:`read_scale_map`.
    """
    with reading_store(folder / NAME, "is not a scale map", "search") as (root, _):
        image, numbers = read_array(root, "0"), dict(zip(CHANNELS, _channel_numbers(root), strict=True))
        return [image[numbers[label]] for label in labels]


def _channel_numbers(root: zarr.Group) -> list[int]:
    """Find the known channels by their labels."""
    attributes: Any = root.attrs
    metadata = attributes.get("ome", attributes)
    labels = [channel["label"] for channel in metadata["omero"]["channels"]]
    return [labels.index(label) for label in CHANNELS]


def _put_curves(root: zarr.Group, scale_map: ScaleMap) -> None:
    """Write the curves of all layers as one array; what its axes stand for is in its attributes."""
    attributes = {
        "layers": list(scale_map.curves),
        "mpp": scale_map.rung_mpp.tolist(),
        "interpolated": scale_map.rung_interpolated.tolist(),
    }
    curves = np.stack(list(scale_map.curves.values()))
    _put(root, _CURVES, curves, ("layer", "row", "col", "rung"), attributes, missing=np.nan)


def _put(
    group: zarr.Group,
    name: str,
    values: NDArray[Any],
    dimensions: tuple[str, ...],
    attributes: Mapping[str, Any] | None = None,
    missing: float | None = None,
) -> None:
    # One chunk, there whatever it holds: a store has the same files for every slide.
    whole: dict[str, Any] = {"data": values, "chunks": values.shape, "config": {"write_empty_chunks": True}}
    if group.metadata.zarr_format == 3:
        array = group.create_array(name, **whole, dimension_names=dimensions, fill_value=missing)
        array.attrs.update(attributes or {})
    else:
        # xarray takes the fill value of Zarr 2 for "no answer", and 0 is one.
        fill = np.nan if values.dtype.kind == "f" else None
        separator: Any = {"name": "v2", "separator": "/"}
        # Blosc, the default, reads a chunk that was cut as garbage; zlib sees it.
        compressor: Any = {"id": "zlib", "level": 1}
        array = group.create_array(name, **whole, chunk_key_encoding=separator, fill_value=fill, compressors=compressor)
        array.attrs.update({"_ARRAY_DIMENSIONS": list(dimensions), **(attributes or {})})


def _ome(grid: TileGrid, image: NDArray[np.float32], version: Version) -> dict[str, Any]:
    """OME metadata of the map."""
    channels = [
        {
            "label": label,
            "color": color,
            "active": label == "optimal_mpp",
            "window": _SHARE_WINDOW if MEANINGS[label].unit == "1" else _window(values),
        }
        for label, color, values in zip(CHANNELS, _COLORS, image, strict=True)
    ]
    omero = {"channels": channels} if version == "0.5" else {"channels": channels, "version": "0.4"}
    return _versioned({"multiscales": [_multiscale("scale", grid, version)], "omero": omero}, version)


def _label_ome(grid: TileGrid, version: Version) -> dict[str, Any]:
    """OME metadata of the label image: what each code means, and its colour."""
    described = {
        "colors": [
            {"label-value": int(r), "rgba": [*REASON_COLORS[r], 255] if r in REASON_COLORS else [0, 0, 0, 0]}
            for r in Reason
        ],
        "properties": [{"label-value": int(r), "name": r.label} for r in Reason],
        "source": {"image": "../../"},
    }
    label = described if version == "0.5" else {**described, "version": "0.4"}
    return _versioned({"multiscales": [_multiscale(_LABEL, grid, version)], "image-label": label}, version)


def _versioned(metadata: dict[str, Any], version: Version) -> dict[str, Any]:
    return {"ome": {"version": "0.5", **metadata}} if version == "0.5" else metadata


def _multiscale(name: str, grid: TileGrid, version: Version) -> dict[str, Any]:
    """One resolution: µm per map pixel, and the centre of the first tile as translation."""
    half = grid.tile_px * grid.mpp / 2
    transforms = [
        {"type": "scale", "scale": [1.0, grid.step_um, grid.step_um]},
        {"type": "translation", "translation": [0.0, half, half]},
    ]
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    multiscale = {
        "name": name,
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": transforms}],
    }
    return multiscale if version == "0.5" else {**multiscale, "version": "0.4"}


def _window(values: NDArray[np.float32]) -> dict[str, float]:
    """Display window: the range of the values."""
    finite = values[np.isfinite(values)]
    start, end = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    end = end if end > start else start + 1.0
    return {"min": 0.0, "max": max(end, 1.0), "start": start, "end": end}
