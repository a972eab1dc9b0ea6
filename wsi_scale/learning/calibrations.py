"""The calibration of a network: found in the package or the user's cache, or measured on drawn scenes."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from wsi_scale.artifacts.atomic import check_writable
from wsi_scale.artifacts.calibration import (
    CalibrationFile,
    calibration_name,
    read_calibration,
    shipped_folder,
    write_calibration,
)
from wsi_scale.artifacts.stages import COHORT_STAGES
from wsi_scale.artifacts.state import KnownNetwork
from wsi_scale.config.models import SearchConfig
from wsi_scale.config.settings import CalibrateSettings, SearchSettings
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.machine import usable_cores
from wsi_scale.execution.progress import progress
from wsi_scale.networks.known import describe
from wsi_scale.scale.calibration import Calibration, LayerCalibration, calibrate
from wsi_scale.scale.ladder import Ladder, geometric_ladder
from wsi_scale.slides.field import resize_square

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

log = logging.getLogger(__name__)

SPEC = COHORT_STAGES["calibrate"]
#: Side of a calibration scene, µm: that of a 224-px tile at 0.5 µm/px.
SCENE_UM = 112.0
#: Planted radii, µm.
RADII_UM = (1.5, 8.0)


def provide_calibration(settings: CalibrateSettings, target: Path | None = None) -> Path:
    """Return the path of the configured network's calibration.

    It is looked for in the package, then in the user's cache, and measured where it is in neither. It stays where it
    is, or goes to the user's cache, unless ``target`` names a file for it.
    """
    from wsi_scale.networks.load import find_network, search_layers

    source = find_network(settings.network, settings.weights)
    network = source.tapped(search_layers(source, "covariant", settings.search.layers))
    known = describe(network)
    found = find_calibration(known, settings)
    if target is not None and target.exists() and found is None and _is_of(target, network, settings):
        return target
    if found is not None and target is None:
        return found
    kept = target or _cache() / _name(known, settings)
    if not found:
        check_writable(kept.parent)
    return _keep(read_calibration(found) if found else measure(network, settings), kept)


def find_calibration(network: KnownNetwork, settings: CalibrateSettings) -> Path | None:
    """Look for the calibration of a network in the package and in the user's cache; nothing is measured."""
    name = _name(network, settings)
    return next((path for folder in (shipped_folder(), _cache()) if _is_calibration(path := folder / name)), None)


def calibration_for(settings: SearchSettings, network: KnownNetwork, fallback: Path) -> Path | None:
    """Find or make the calibration that a search needs; None where it needs none.

    Parameters
    ----------
    fallback
        Where it is kept if the user's cache cannot be written.
    """
    if settings.search.method != "covariant":
        return None
    if (found := find_calibration(network, settings)) is not None:
        return found
    try:
        return provide_calibration(settings)
    except ArtifactError as error:
        log.warning("%s; the calibration is kept with the results", error)
        return provide_calibration(settings, fallback)


def measure(network: "Network", settings: CalibrateSettings) -> CalibrationFile:
    """Calibrate a network on freshly drawn scenes."""
    from wsi_scale.synthesis.scene import calibration_scenes, render_scene

    search, drawn = settings.search, settings.calibration
    ladder = ladder_of(SCENE_UM, network, search)
    scenes = calibration_scenes(
        drawn.scenes,
        drawn.seed,
        radii_um=RADII_UM,
        mpp=search.finest_mpp,
        size_px=_scene_px(search),
    )
    compute = resolve(settings.execution.model_copy(update={"dtype": "float32", "threads": usable_cores()}))
    log.warning("no calibration of %s at hand: measuring one on %d scenes", network.name, len(scenes))
    responses = respond_to_scenes(network, [render_scene(scene) for scene in scenes], ladder, compute)
    found = calibrate(responses, np.log2(ladder.mpps), np.array([scene.radius_um for scene in scenes]))
    return CalibrationFile(
        network.name, network.digest, SCENE_UM, search.finest_mpp, search.coarsest_mpp,
        search.rungs_per_octave, drawn.scenes, drawn.seed,
        {name: _listed(layer) for name, layer in found.layers.items()},
    )  # fmt: skip


def respond_to_scenes(
    network: "Network", scenes: Sequence[NDArray[np.uint8]], ladder: Ladder, compute: Compute
) -> dict[str, NDArray[np.float32]]:
    """Pass scenes through a network on every rung: layer → (scene, channel, rung)."""
    from wsi_scale.networks.forward import ladder_responses, place

    placed = place(network, compute)
    parts = []
    with progress("scenes", len(scenes), unit="scenes") as advance:
        for scene in scenes:
            rungs = [resize_square(scene, size)[None] for size in ladder.sizes_px]
            parts.append(ladder_responses(placed, rungs, compute))
            advance(1)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def ladder_of(field_um: float, network: "Network", search: SearchConfig) -> Ladder:
    """Lay the ladder on which a network sees fields of one side, µm: the same µm per pixel for every slide."""
    return geometric_ladder(
        field_um,
        finest_mpp=search.finest_mpp,
        coarsest_mpp=search.coarsest_mpp,
        rungs_per_octave=search.rungs_per_octave,
        multiple_px=network.stride,
        min_px=network.min_px,
    )


def read_for(path: Path, network: "Network | KnownNetwork") -> tuple[Calibration, str]:
    """Read a calibration and its fingerprint, checked to be of this network.

    Raises
    ------
    ArtifactError
        It was measured on other parameters.
    """
    stored = read_calibration(path)
    if stored.digest != network.digest:
        raise ArtifactError(f"{path} belongs to other weights of {stored.network}; make one with `wsi-scale calibrate`")
    widths = {layer.name: layer.channels for layer in network.layers}
    for name, values in stored.layers.items():
        if max(values["channels"]) >= widths.get(name, 0):
            raise ArtifactError(
                f"{path} calibrates channels of {name} that {network.name} lacks; make one with `wsi-scale calibrate`"
            )
    layers = {
        name: LayerCalibration(
            np.array(values["channels"], np.int64),
            np.array(values["offset"]),
            np.array(values["slope"]),
            np.array(values["residual"]),
        )
        for name, values in stored.layers.items()
    }
    return Calibration(layers), stored.fingerprint


def _cache() -> Path:
    return user_cache_path("wsi_scale") / "calibrations"


def _name(network: KnownNetwork, settings: CalibrateSettings) -> str:
    """Name a calibration's file; not by any version, which must not invalidate it."""
    search, scenes = settings.search, settings.calibration
    ladder = (search.finest_mpp, search.coarsest_mpp, search.rungs_per_octave)
    layers = [layer.name for layer in network.layers]
    content = (SPEC.version, network.digest, layers, ladder, scenes.scenes, scenes.seed)
    return calibration_name(network.name, hashlib.sha256(repr(content).encode()).hexdigest())


def _is_of(path: Path, network: "Network", settings: CalibrateSettings) -> bool:
    try:
        stored = read_calibration(path)
    except ArtifactError:
        return False
    wanted = (
        network.digest,
        settings.search.finest_mpp,
        settings.search.coarsest_mpp,
        settings.search.rungs_per_octave,
    )
    has = (stored.digest, stored.finest_mpp, stored.coarsest_mpp, stored.rungs_per_octave)
    made_of = (stored.scenes, stored.seed) == (settings.calibration.scenes, settings.calibration.seed)
    return wanted == has and made_of


def _keep(calibration: CalibrationFile, path: Path) -> Path:
    if not _holds(path, calibration):
        write_calibration(path, calibration)
    return path


def _is_calibration(path: Path) -> bool:
    """Whether there is one; where a damaged one lies in the user's cache, it is made again."""
    try:
        read_calibration(path)
    except ArtifactError:
        return False
    return True


def _holds(path: Path, calibration: CalibrationFile) -> bool:
    try:
        return read_calibration(path) == calibration
    except ArtifactError:  # not there yet, or damaged
        return False


def _scene_px(search: SearchConfig) -> int:
    return round(SCENE_UM / search.finest_mpp)


def _listed(layer: LayerCalibration) -> dict[str, list[float]]:
    return {
        "channels": layer.channels.tolist(),
        "offset": layer.offset.round(5).tolist(),
        "slope": layer.slope.round(5).tolist(),
        "residual": layer.residual.round(5).tolist(),
    }
