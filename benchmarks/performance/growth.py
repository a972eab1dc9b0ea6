"""Memory and time a tile on a slide of 25 times the area, each slide in a process of its own.

``search`` of the embedded network takes tiles of 56 µm, 10,000 on the large slide. ``extract`` takes tiles of 16 µm,
122,500 of them, whose passes are short: what is left is reading, grid, tables and Zarr.
``python -m benchmarks.performance.growth FOLDER SLIDE STAGE`` is such a process.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.performance.material import Bench, check, settings, tile_count
from benchmarks.performance.searching import Figures
from wsi_scale.artifacts.record import Record as StageRecord
from wsi_scale.config.models import Config
from wsi_scale.config.settings import ExtractSettings, SearchSettings, TileSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.extract import extract
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile

#: Side of a tile in pixels, and their µm, by stage.
TILES = {"search": (112, 0.5), "extract": (64, 0.25)}
#: The small slide is searched before and after the large one.
ORDER = ("small", "large", "small")


def growth(bench: Bench) -> Figures:
    """Search and extract a small and a large slide with the embedded network."""
    measured = {stage: _compared(bench, stage) for stage in TILES}
    figures = {
        f"{what}_growth{suffix}": measured[stage][f"large_{key}"] / measured[stage][f"small_{key}"]
        for stage, suffix in (("search", ""), ("extract", "_extract"))
        for what, key in (("memory", "peak_mib"), ("time_per_tile", "seconds_per_tile"))
    }
    return figures, measured


def _compared(bench: Bench, stage: str) -> dict[str, float]:
    slides = dict(zip(("small", "large"), map(bench.slide, bench.sizes.growth_columns), strict=True))
    found: dict[str, list[dict[str, float]]] = {"small": [], "large": []}
    for turn, name in enumerate(ORDER):
        found[name].append(_in_own_process(slides[name], bench.folder / f"growth-{stage}-{turn}", stage))
    return {
        f"{name}_{key}": statistics.median(each[key] for each in runs)
        for name, runs in found.items()
        for key in ("tiles", "peak_mib", "seconds_per_tile")
    }


def _in_own_process(slide: Path, folder: Path, stage: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.performance.growth", str(folder), str(slide), stage]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _measure(folder: Path, slide: Path, stage: str) -> dict[str, float]:
    job = SlideJob(SheetRow(slide.stem, slide, None, None), folder)
    tile_px, mpp = TILES[stage]
    tiling = {"min_tissue": 0, "tile_px": tile_px, "mpp": mpp}
    config = settings("embedded", tiling=tiling, features={"mpps": [mpp], "optimal": False})
    check(inspect(job))
    check(tile(job, TileSettings.of(config)))
    start = time.perf_counter()
    check(STAGES[stage](job, config))
    seconds, tiles = time.perf_counter() - start, tile_count(job)
    # Not getrusage: its figure survives fork and exec, so that it may be the parent's.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return {"tiles": tiles, "peak_mib": peak, "seconds_per_tile": seconds / tiles}


STAGES: dict[str, Callable[[SlideJob, Config], StageRecord]] = {
    "search": lambda job, config: search(job, SearchSettings.of(config)),
    "extract": lambda job, config: extract(job, ExtractSettings.of(config)),
}


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
