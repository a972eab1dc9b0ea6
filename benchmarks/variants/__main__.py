"""Which layers, calibration, extremum, combination and ladder serve the covariant search best: one factor at a time.

    WSI_SCALE_DATA=… python -m benchmarks.variants [--networks embedded vgg19]

Channels are calibrated on drawn scenes (seed 1, as the package does), and variants are compared on scenes of another
seed and on regions of real tissue seen at two scales. Nothing is measured on the scenes and cases that `make truth`
reports on. What networks answer is kept in results/bench/features. Writes results/bench/variants.json.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS, data_root
from benchmarks.truth.figures import rounded
from benchmarks.variants.estimators import Variant, fit
from benchmarks.variants.figures import Figures, figures_of
from benchmarks.variants.observed import MPP, PARTS, SIDE_PX, Observed, observe, render, tissue_pairs
from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.errors import UserError
from wsi_scale.execution.compute import resolve
from wsi_scale.learning.calibrations import RADII_UM, SCENE_UM, ladder_of
from wsi_scale.networks.load import find_network
from wsi_scale.scale.calibration import ChannelRule
from wsi_scale.synthesis.scene import calibration_scenes

NETWORKS = ("embedded", "vgg19")
#: Seeds of the scenes that are calibrated and compared on, and how many are drawn.
CALIBRATED_SEED, COMPARED_SEED = 1, 999
CALIBRATED, COMPARED = 512, 192


def variants(layers: tuple[str, ...]) -> Iterator[Variant]:
    """Yield the package's own search, and the others."""
    yield Variant("as it is", "")
    for count in (16, 32, 128, 256, 512):
        yield Variant("scenes", str(count), scenes=count)
    yield from (Variant("layers", f"{name} alone", layers=(name,)) for name in layers)
    yield Variant("line", "slope 1 for all", line="slope 1")
    yield Variant("weights", "equal", weights="equal")
    combination: Literal["median", "mean", "ridge"]
    for combination in ("median", "mean", "ridge"):
        yield Variant("combination", combination, combination=combination)
    yield Variant("combination", "ridge, 512 scenes", combination="ridge", scenes=512)
    yield Variant("extremum", "highest rung", extremum="rung")
    yield Variant("extremum", "smoothed", extremum="smoothed")
    yield Variant("ladder", "every second rung", every=2)
    yield Variant("ladder", "to 2 µm/px", coarsest_mpp=2.0)
    for name, rule in _rules():
        yield Variant("channels", name, rule=rule)
    yield Variant("channels", "that follow tissue too", tissue=True)


def _rules() -> Iterator[tuple[str, ChannelRule]]:
    yield "residual < 0.1", ChannelRule(max_residual=0.1)
    yield "residual < 0.3", ChannelRule(max_residual=0.3)
    yield "answered ≥ 0.7", ChannelRule(min_answered=0.7)
    yield "answered ≥ 0.98", ChannelRule(min_answered=0.98)
    yield "slope 0.85–1.15", ChannelRule(slopes=(0.85, 1.15))
    yield "slope 0.5–1.5", ChannelRule(slopes=(0.5, 1.5))


def compare(name: str, pairs: NDArray[np.uint8]) -> dict[str, dict[str, Any]]:
    """Measure every variant of a network's search, and print a line for each."""
    source = find_network(name)
    network = source.tapped(source.architecture.search_layers)
    look = partial(
        observe, network, ladder=ladder_of(SCENE_UM, network, Config().search), compute=resolve(ExecutionConfig())
    )
    scenes, radius = _scenes(look, CALIBRATED, CALIBRATED_SEED)
    others, planted = _scenes(look, COMPARED, COMPARED_SEED)
    seen = look(pairs.reshape(-1, *pairs.shape[2:]), name="tissue")
    # Of the regions, every second one may choose channels; all variants are compared on the others.
    halves = [_regions(seen, start, len(pairs)) for start in (0, 1)]
    table: dict[str, dict[str, Any]] = {}
    first: Figures | None = None
    for variant in variants(tuple(scenes.responses)):
        label = f"{variant.factor}: {variant.name}".rstrip(": ")
        try:
            found = figures_of(fit(variant, scenes, radius, halves[0]), others, planted, halves[1])
        except UserError as error:
            print(f"{name:13} {label:34} {str(error).split(';')[0]}", flush=True)
            continue
        first = first or found
        changes = found.changes_from(first)
        table[label] = found.as_dict() | {f"{figure}_change": list(each) for figure, each in changes.items()}
        print(_line(name, label, found, changes), flush=True)
    return table


def _scenes(look: Callable[..., Observed], count: int, seed: int) -> tuple[Observed, NDArray[np.float64]]:
    scenes = calibration_scenes(count, seed, radii_um=RADII_UM, mpp=MPP, size_px=SIDE_PX)
    return look(render(scenes), name="scenes"), np.array([scene.radius_um for scene in scenes])


def _regions(seen: Observed, start: int, regions: int) -> Observed:
    """Every second region, five images each."""
    kept = np.arange(regions * (PARTS + 1)).reshape(regions, -1)[start::2].ravel()
    return seen.of_images(kept)


def _line(network: str, label: str, f: Figures, changes: dict[str, tuple[float, float, float]]) -> str:
    deviation, tissue = (f"{d:+.3f} ({low:+.3f} to {high:+.3f})" for d, low, high in changes.values())
    return (
        f"{network:13} {label:34} {f.slope:6.3f} {f.deviation:6.3f} {deviation:26} {f.answered:5.2f}  "
        f"{f.tissue_median:6.3f} {tissue:26} {f.tissue_p90:6.3f} {f.tissue_answered:5.2f} {f.channels:5}"
    )


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variants", description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    chosen = parser.parse_args().networks
    pairs = tissue_pairs(data_root())
    print(
        f"Drawn scenes: slope, deviation and its change (95 %), share answered; {len(pairs) // 2} regions of tissue "
        "at half their size: median error and its change, 90th percentile, share answered; calibrated channels"
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "variants.json"
    table = read_json(path) if path.exists() else {}
    for name in chosen:
        table[name] = compare(name, pairs)
        write_json(path, rounded(table))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
