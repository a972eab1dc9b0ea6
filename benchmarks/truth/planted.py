"""Planted nuclei: whether estimates follow a known radius, on scenes that no network was calibrated on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks.truth.estimators import TILE_UM, Estimator, Field
from benchmarks.truth.figures import Finding, Numbers, deviation, planted_figures
from wsi_scale.synthesis.scene import DrawnScene, Scene, draw_scene, truth_scenes

SEED = 2026
#: A tile that holds as many nuclei says enough of their size.
MANY_NUCLEI = 60

#: Harder scenes: each changes one thing. Scene → scene; the number says which of two ways, where there are two.
HARDER: dict[str, Callable[[Scene, int], Scene]] = {
    "crowded": lambda scene, _: replace(scene, density=0.5, spacing=0.9),
    "overlapping": lambda scene, _: replace(scene, density=0.4, spacing=0.5),
    "two sizes": lambda scene, way: replace(scene, mixed_radius_um=scene.radius_um * (0.5, 2.0)[way]),
    "elongated": lambda scene, _: replace(scene, elongation=2.4),
    "out of focus": lambda scene, way: replace(scene, blur_px=(2.0, 4.0)[way]),
}


@dataclass(frozen=True)
class Planted:
    """Scenes of one kind, one a tile, in random order.

    Attributes
    ----------
    fields
        As files.
    radius_um
        Planted radius of each; where two sizes are mixed, that of three quarters of the nuclear area.
    nuclei
        How many have their centre in the tile.
    """

    fields: tuple[Field, ...]
    radius_um: Numbers
    nuclei: Numbers


@cache
def plain_scenes(count: int) -> Planted:
    """Scenes whose textures, stains and seeds no network was calibrated on."""
    return _planted(truth_scenes(count, SEED))


@cache
def harder_scenes(name: str, count: int) -> Planted:
    """Scenes of one of the harder kinds, of seeds of its own."""
    seed = SEED + 1 + list(HARDER).index(name)
    return _planted([HARDER[name](scene, index % 2) for index, scene in enumerate(truth_scenes(count, seed))])


def _planted(scenes: Sequence[Scene]) -> Planted:
    order = np.random.default_rng(SEED).permutation(len(scenes))
    chosen = [scenes[index] for index in order]
    drawn = [draw_scene(scene) for scene in chosen]
    return Planted(
        tuple(Field(each.pixels, scene.mpp) for each, scene in zip(drawn, chosen, strict=True)),
        np.array([scene.radius_um for scene in chosen]),
        np.array([_inside(each) for each in drawn], np.float64),
    )


def _inside(drawn: DrawnScene) -> int:
    x, y = drawn.nuclei.x_um, drawn.nuclei.y_um
    return int(((np.minimum(x, y) >= 0) & (np.maximum(x, y) < TILE_UM)).sum())


def planted_test(estimator: Estimator, count: int, harder: int) -> Finding:
    """Test on plain scenes, and on some of each harder kind.

    Parameters
    ----------
    count
        Plain scenes.
    harder
        Scenes of each harder kind.
    """
    plain = plain_scenes(count)
    log2_mpp, confidence = estimator.log2_of_tiles(plain.fields)
    log2_radius = np.log2(plain.radius_um)
    sums = log2_radius - log2_mpp
    many = plain.nuclei >= MANY_NUCLEI
    middle = float(np.nanmedian(sums)) if np.isfinite(sums).any() else np.nan
    figures: dict[str, Any] = planted_figures(log2_radius, -log2_mpp)
    figures |= {
        "deviation_60_nuclei": deviation(sums[many]),
        "tiles_60_nuclei": int(many.sum()),
        "bias_octaves": -middle + np.log2(1 / estimator.mpp_per_um),
    }
    figures["harder"] = {}
    hard_errors, hard_confidence = [], []
    for name in HARDER if harder else ():
        scenes = harder_scenes(name, harder)
        found, sure = estimator.log2_of_tiles(scenes.fields)
        errors = found - np.log2(scenes.radius_um) + middle
        figures["harder"][name] = planted_figures(np.log2(scenes.radius_um), -found) | {
            "shift_octaves": float(np.nanmedian(errors)) if np.isfinite(errors).any() else np.nan
        }
        hard_errors.append(errors)
        hard_confidence.append(sure)
    return Finding(
        figures,
        {
            "log2_radius": log2_radius,
            "log2_mpp": log2_mpp,
            "confidence": confidence,
            "errors": middle - sums,
            "hard_errors": np.concatenate([np.zeros(0), *hard_errors]),
            "hard_confidence": np.concatenate([np.zeros(0), *hard_confidence]),
        },
    )
