"""Planted truth: nuclear radius against estimated scale, for both methods and both networks.

Slides of 0.25 µm/px are mosaics of scenes, one a tile of 112 µm, whose textures, stains and seeds are none of
those that networks are calibrated on. The table gives, for each network and method, the slope of log2 scale on
log2 radius (truth: −1), the deviation (rms over answered tiles of log2 scale + log2 radius, less its median) and
the share of tiles answered. Writes results/bench/truth.json and truth.png.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS, data_root, mosaic
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.load import parse_config
from wsi_scale.config.settings import CalibrateSettings, SearchSettings, TileSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis.pyramid import write_pyramid
from wsi_scale.synthesis.scene import render_scene, truth_scenes

SEED = 2026
TILE_MPP = 0.5
#: Tiles a network and method see; `published` costs about 25 s a tile with VGG19.
TILES = {"covariant": 96, "published": 16}
COLS = 8


@dataclass(frozen=True)
class Outcome:
    """Planted radii (µm) and estimated scales of tiles; NaN where there is no answer."""

    radius_um: NDArray[np.float64]
    scale: NDArray[np.float64]

    def figures(self) -> dict[str, float]:
        """Slope, deviation, share answered and count."""
        answered = np.isfinite(self.scale)
        log2_radius, log2_scale = np.log2(self.radius_um[answered]), np.log2(self.scale[answered])
        sums = log2_scale + log2_radius
        slope = np.polyfit(log2_radius, log2_scale, 1)[0] if answered.sum() > 2 else float("nan")
        return {
            "slope": round(float(slope), 4),
            "deviation_octaves": round(float(np.sqrt(np.mean((sums - np.median(sums)) ** 2))), 4),
            "answered": round(float(answered.mean()), 4),
            "tiles": len(self.scale),
        }


def measure(network: str, method: str, folder: Path) -> Outcome:
    """Take a mosaic of planted scenes through inspect, tile and search."""
    scenes = truth_scenes(TILES[method], SEED)
    # Laid in random order, so that a tile's neighbours do not reveal its radius.
    scenes = [scenes[i] for i in np.random.default_rng(SEED).permutation(len(scenes))]
    slide = folder / f"{Path(network).stem}-{method}.tiff"
    write_pyramid(slide, mosaic([render_scene(scene) for scene in scenes], COLS), 0.25)
    job = SlideJob(SheetRow(slide.stem, slide, None, None), folder / slide.stem)
    config = parse_config(
        {
            "network": network,
            "tissue": {"method": "none"},
            "tiling": {"mpp": TILE_MPP, "tile_px": 224, "min_tissue": 0},
            "search": {"method": method},
            "execution": {"dtype": "float32", "block_tiles": 2},
        }
    )
    calibration = calibrate(CalibrateSettings.of(config)) if method == "covariant" else None
    for record in (
        inspect(job),
        tile(job, TileSettings.of(config)),
        search(job, SearchSettings.of(config), calibration),
    ):
        if record.status != "ok":
            raise SystemExit(f"error: {record.stage}: {record.reason}")
    scale_map, _ = read_scale_map(job.folder)
    tiles, _ = read_tiles(job.folder)
    optimal = scale_map.channel("optimal_mpp")[tiles.row, tiles.col].astype(np.float64)
    radius = np.array([scenes[row * COLS + col].radius_um for row, col in zip(tiles.row, tiles.col, strict=True)])
    return Outcome(radius, TILE_MPP / optimal)


def draw(outcomes: dict[tuple[str, str], Outcome], path: Path) -> None:
    """Draw scale against radius, one panel a network and method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(outcomes), 3.6), layout="constrained")
    for axes, ((network, method), outcome) in zip(
        np.atleast_1d(figure.subplots(1, len(outcomes), sharey=True)), outcomes.items(), strict=True
    ):
        axes.scatter(outcome.radius_um, outcome.scale, s=12, alpha=0.7)
        middle = np.nanmedian(outcome.scale * outcome.radius_um)
        radii = np.geomspace(1.5, 8, 20)
        axes.plot(radii, middle / radii, "k--", lw=1, label="slope −1")
        axes.set(xscale="log", yscale="log", xlabel="planted radius, µm", ylabel="estimated scale")
        axes.set_xticks([2, 4, 8], labels=["2", "4", "8"])
        axes.set_yticks([0.125, 0.25, 0.5, 1], labels=["1/8", "1/4", "1/2", "1"])
        axes.minorticks_off()
        axes.set_title(f"{network}, {method}\nslope {outcome.figures()['slope']:+.2f}")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print, draw and write."""
    data_root()
    outcomes = {}
    folder = Path(tempfile.mkdtemp(prefix="truth-"))
    try:
        print(f"{'network':10} {'method':10} {'slope':>7} {'deviation':>9} {'answered':>8} {'tiles':>5}")
        for network in ("embedded", "vgg19"):
            for method in ("covariant", "published"):
                outcome = outcomes[network, method] = measure(network, method, folder)
                f = outcome.figures()
                print(
                    f"{network:10} {method:10} {f['slope']:+7.3f} {f['deviation_octaves']:9.3f} {f['answered']:8.3f}"
                    f" {f['tiles']:5}",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder)
    RESULTS.mkdir(parents=True, exist_ok=True)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for (network, method), outcome in outcomes.items():
        table.setdefault(network, {})[method] = outcome.figures()
    (RESULTS / "truth.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    draw(outcomes, RESULTS / "truth.png")
    print(f"wrote {RESULTS / 'truth.json'} and {RESULTS / 'truth.png'}")


if __name__ == "__main__":
    main()
