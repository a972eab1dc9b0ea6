"""What is installed: versions, device, weights, calibrations, writable folders."""

import os
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from wsi_scale.artifacts.calibration import SUFFIX, shipped_folder
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.errors import WsiScaleError
from wsi_scale.execution.compute import default_workers, resolve
from wsi_scale.execution.versions import versions


def examine() -> Iterator[str]:
    """Give the lines that `wsi-scale doctor` prints."""
    from wsi_scale.networks.load import find_network
    from wsi_scale.networks.places import weights_folder
    from wsi_scale.networks.weights import at_hand

    for name, number in versions().items():
        yield f"{name:32} {number}"
    compute = resolve(ExecutionConfig())
    workers = default_workers(ExecutionConfig(), compute)
    yield f"{'device':32} {compute.device}, {compute.dtype}, {workers} workers"
    try:
        embedded = find_network("embedded")
        digest = embedded.tapped([embedded.architecture.feature_layer]).digest
        yield f"{'embedded network':32} digest {digest[:16]}"
    except WsiScaleError as error:
        yield f"{'embedded network':32} {error}"
    yield f"{'weights folder':32} {weights_folder()}"
    for found in at_hand():
        yield f"  {found.architecture:30} {found.path.name}"
    cache = user_cache_path("wsi_scale") / "calibrations"
    for folder in (shipped_folder(), cache):
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            yield f"{'calibration':32} {path.name} ({'package' if folder == shipped_folder() else 'cache'})"
    for name, place in (("working folder", Path()), ("user's cache", cache)):
        yield f"{name:32} {place.absolute()} {'writable' if _is_writable(place) else 'NOT writable'}"


def _is_writable(folder: Path) -> bool:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK)
