"""The control with random weights: the embedded network's shape, and the best channels that chance gives it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import compute_here
from benchmarks.scale_in_layers.networks import Subject
from benchmarks.truth.estimators import Estimator, searching
from wsi_scale.config.models import Config
from wsi_scale.learning.calibrations import RADII_UM, SCENE_UM, ladder_of, respond_to_scenes
from wsi_scale.networks.file import read_network_file, write_network_file
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.networks.places import network_file
from wsi_scale.scale.calibration import Calibration, ChannelRule, LayerCalibration
from wsi_scale.scale.optimum import interior_optimum
from wsi_scale.synthesis.scene import calibration_scenes, render_scene

#: Channels that the control reads; VGG19 has 17 that calibrate.
CHANNELS = 20
SEED = 0


def random_weights(folder: Path, scenes: int = 64) -> Estimator:
    """Search with random weights.

    No channel of such a network passes a calibration (slope, residual), so the control has its own rule: of the
    channels that answer on 90 % of the calibration scenes, those 20 whose optimum lies closest to a line of slope 1 on
    the radius are read by that line, as good or bad as they are.

    Parameters
    ----------
    folder
        Where the network's file is written.
    scenes
        Calibration scenes.
    """
    path = folder / "random.safetensors"
    _write(path)
    source = find_network(str(path))
    network = source.tapped(search_layers(source, "covariant", None))
    search = Config().search
    ladder = ladder_of(SCENE_UM, network, search)
    side = round(SCENE_UM / search.finest_mpp)
    drawn = calibration_scenes(scenes, 0, radii_um=RADII_UM, mpp=search.finest_mpp, size_px=side)
    responses = respond_to_scenes(network, [render_scene(scene) for scene in drawn], ladder, compute_here())
    radius = np.array([scene.radius_um for scene in drawn])
    return searching(str(path), "covariant", calibration=best_channels(responses, np.log2(ladder.mpps), radius))


def best_channels(
    responses: dict[str, NDArray[np.float32]],
    log2_mpp: NDArray[np.float64],
    radius_um: NDArray[np.float64],
    count: int = CHANNELS,
) -> Calibration:
    """Choose the channels closest to a line of slope 1, however far that is.

    Parameters
    ----------
    responses
        Layer → (scene, channel, rung).
    """
    optimum = {name: interior_optimum(values, log2_mpp) for name, values in responses.items()}
    gap = {name: values - np.log2(radius_um)[:, None] for name, values in optimum.items()}
    spread = {name: _spread(values) for name, values in gap.items()}
    worst = np.sort(np.concatenate(list(spread.values())))[count - 1]
    layers = {}
    for name, values in spread.items():
        chosen = np.flatnonzero(np.isfinite(values) & (values <= worst))
        if len(chosen):
            offset = np.nanmean(gap[name][:, chosen], axis=0)
            layers[name] = LayerCalibration(chosen, offset, np.ones(len(chosen)), values[chosen])
    return Calibration(layers)


def _spread(gap: NDArray[np.float64]) -> NDArray[np.float64]:
    """(channel,) standard deviation of (scene, channel); infinite where too few scenes are answered."""
    enough = np.isfinite(gap).mean(axis=0) >= ChannelRule().min_answered
    spread: NDArray[np.float64] = np.where(enough, np.nanstd(np.where(enough, gap, 0), axis=0), np.inf)
    return spread


def _write(path: Path) -> None:
    known = network_file("embedded")
    if known is None:
        raise SystemExit("error: the package carries no embedded network")
    header, _ = read_network_file(known)
    network = Subject("random", find_network("embedded"), None).random(SEED)
    state = {name.removeprefix("trunk."): value for name, value in network.state_dict().items()}
    write_network_file(path, replace(header, name="random", provenance={"weights": "random"}), state)
