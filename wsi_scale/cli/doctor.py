"""What is installed: versions, device, weights, calibrations, writable folders."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from wsi_scale.artifacts.calibration import SUFFIX, shipped_folder
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.errors import WsiScaleError
from wsi_scale.execution.compute import default_workers, resolve
from wsi_scale.execution.versions import versions

if TYPE_CHECKING:
    from wsi_scale.networks.weights import WeightsFile


@dataclass(frozen=True)
class Place:
    """A folder, and whether this user may write into it."""

    path: Path
    writable: bool


@dataclass(frozen=True)
class Installation:
    """What `wsi-scale doctor` finds.

    Attributes
    ----------
    versions
        Library → version.
    device, dtype, workers
        What a run would compute on.
    networks
        Network of the package → its digest, or why it cannot be used.
    weights_folder, weights
        Where pretrained weights are looked for, and those that there are.
    calibrations
        Calibration file → whether it came with the package, or lies in the user's cache.
    places
        Folders that are written to.
    """

    versions: Mapping[str, str]
    device: str
    dtype: str
    workers: int
    networks: Mapping[str, str]
    weights_folder: Path
    weights: Sequence["WeightsFile"]
    calibrations: Mapping[str, str]
    places: Mapping[str, Place]


def examine() -> Installation:
    """Look at the installation."""
    from wsi_scale.networks.places import CARRIED, weights_folder
    from wsi_scale.networks.weights import at_hand

    compute = resolve(ExecutionConfig())
    cache = user_cache_path("wsi_scale") / "calibrations"
    found = {"package": shipped_folder(), "cache": cache}
    return Installation(
        versions(),
        str(compute.device),
        str(compute.dtype),
        default_workers(ExecutionConfig(), compute),
        {name: _carried(name) for name in CARRIED},
        weights_folder(),
        at_hand(),
        {path.name: of for of, folder in found.items() for path in sorted(folder.glob(f"*{SUFFIX}"))},
        {name: _place(place) for name, place in (("working folder", Path()), ("user's cache", cache))},
    )


def lines_of(found: Installation) -> Iterator[str]:
    """Give the lines that `wsi-scale doctor` prints."""
    for name, number in found.versions.items():
        yield f"{name:32} {number}"
    yield f"{'device':32} {found.device}, {found.dtype}, {found.workers} workers"
    for name, state in found.networks.items():
        yield f"{'network ' + name:32} {state}"
    yield f"{'weights folder':32} {found.weights_folder}"
    for file in found.weights:
        yield f"  {file.architecture:30} {file.path.name}"
    for name, of in found.calibrations.items():
        yield f"{'calibration':32} {name} ({of})"
    for name, place in found.places.items():
        yield f"{name:32} {place.path} {'writable' if place.writable else 'NOT writable'}"


def _carried(name: str) -> str:
    from wsi_scale.networks.load import find_network

    try:
        source = find_network(name)
        return f"digest {source.tapped([source.architecture.feature_layer]).digest[:16]}"
    except WsiScaleError as error:
        return str(error)


def _place(folder: Path) -> Place:
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return Place(folder.absolute(), there.is_dir() and os.access(there, os.W_OK))
