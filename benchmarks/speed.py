"""Speed and memory of `tile` and `search`, as ratios measured in one run; writes results/bench/speed.json.

* search on 324 tiles over the time of its network passes alone, for the embedded network and VGG19;
* pixels of the ladder over those of its finest rung;
* peak memory of `tile` and `search` on a slide of four times the area.

The slides are mosaics of real tissue.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS, data_root, mosaic
from benchmarks.sources import read_crops
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.load import parse_config
from wsi_scale.config.models import Config
from wsi_scale.config.settings import CalibrateSettings, SearchSettings, TileSettings
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.execution.compute import default_workers, resolve, work_sizes
from wsi_scale.jobs.job import SlideJob
from wsi_scale.learning.calibrations import ladder_of
from wsi_scale.networks.forward import ladder_responses, place
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis.pyramid import write_pyramid

#: Tiles whose network passes are timed alone, per network; the rest is scaled.
PASS_TILES = {"embedded": 160, "vgg19": 24}


def tissue_crops(root: Path, count: int) -> list[NDArray[np.uint8]]:
    """H&E crops of 1024 px at some 0.25 µm/px, in order of their names."""
    sources = [source for source in read_crops(root, ("tissue",)) if 0.25 <= source.mpp <= 0.27]
    if len(sources) < count:
        raise ValueError(f"only {len(sources)} crops at 0.25 µm/px")
    return [source.pixels() for source in sorted(sources, key=lambda each: each.path.name)[:count]]


def settings(network: str) -> Config:
    """Make the configuration of a run: everything is tissue, so that the tiles are counted beforehand."""
    return parse_config({"network": network, "tissue": {"method": "none"}, "tiling": {"min_tissue": 0}})


def passes_seconds_per_tile(network: str, tiles: int) -> tuple[float, float]:
    """Seconds a tile of the network passes alone, over the same workers, and the ladder's cost in pixels."""
    config = settings(network)
    compute = resolve(config.execution)
    source = find_network(network)
    placed = place(source.tapped(search_layers(source, "covariant", None)), compute)
    ladder = ladder_of(config.tiling.field_um, placed, config.search)
    rng = np.random.default_rng(0)
    size = work_sizes(config.execution, compute.device).block_tiles
    images = [rng.integers(0, 255, (size, px, px, 3), np.uint8) for px in ladder.sizes_px]
    workers = default_workers(config.execution, compute)
    blocks = list(range(tiles // size))
    list(map_blocks(lambda _: ladder_responses(placed, images, compute), blocks[:workers], workers=workers))
    start = time.perf_counter()
    list(map_blocks(lambda _: ladder_responses(placed, images, compute), blocks, workers=workers))
    return (time.perf_counter() - start) / (len(blocks) * size), ladder.cost


def search_seconds(network: str, slide: Path, folder: Path) -> tuple[float, int]:
    """Seconds of `search` on a slide, and its tiles."""
    config = settings(network)
    job = SlideJob(SheetRow(slide.stem, slide, None, None), folder)
    calibration = calibrate(CalibrateSettings.of(config))
    for record in (inspect(job), tile(job, TileSettings.of(config))):
        if record.status != "ok":
            raise SystemExit(f"error: {record.stage}: {record.reason}")
    start = time.perf_counter()
    record = search(job, SearchSettings.of(config), calibration)
    if record.status != "ok":
        raise SystemExit(f"error: {record.stage}: {record.reason}")
    return time.perf_counter() - start, len(read_tiles(folder)[0])


def peak_mib(slide: Path, folder: Path) -> float:
    """Peak resident memory of `tile` and `search` in a process of their own, MiB."""
    command = [sys.executable, "-m", "benchmarks.speed", "--peak", str(slide), str(folder)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(answer.stdout.split()[-1])


def _peak(slide: Path, folder: Path) -> None:
    search_seconds("embedded", slide, folder)
    # Not getrusage: its figure survives fork and exec, so that it may be the parent's.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    print(next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")))


def main() -> None:
    """Measure, print and write."""
    root = data_root()
    folder = Path(tempfile.mkdtemp(prefix="speed-"))
    figures: dict[str, dict[str, float]] = {}
    try:
        crops = tissue_crops(root, 64)
        small, large = folder / "small.tiff", folder / "large.tiff"
        write_pyramid(small, mosaic(crops[:16], 4), 0.25)
        write_pyramid(large, mosaic(crops, 8), 0.25)
        peaks = [peak_mib(slide, folder / f"peak-{slide.stem}") for slide in (small, large)]
        figures["memory"] = {
            "small_mib": round(peaks[0]),
            "large_mib": round(peaks[1]),
            "large_over_small": round(peaks[1] / peaks[0], 3),
        }
        print("memory", figures["memory"], flush=True)
        for network in ("embedded", "vgg19"):
            alone, cost = passes_seconds_per_tile(network, PASS_TILES[network])
            seconds, tiles = search_seconds(network, large, folder / f"large-{network}")
            figures[network] = {
                "tiles": tiles,
                "tiles_per_second": round(tiles / seconds, 3),
                "search_over_passes": round(seconds / (alone * tiles), 3),
                "ladder_cost": round(cost, 3),
            }
            print(network, figures[network], flush=True)
    finally:
        shutil.rmtree(folder)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        _peak(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
