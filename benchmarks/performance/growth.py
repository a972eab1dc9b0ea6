"""Memory and time a tile on a slide of 16 times the area, each slide in a process of its own.

``python -m benchmarks.performance.growth FOLDER SLIDE`` is such a process.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.performance.material import Bench, check, settings, tile_count
from benchmarks.performance.searching import Figures
from wsi_scale.config.settings import SearchSettings, TileSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile

#: The small slide is searched before and after the large one.
ORDER = ("small", "large", "small")


def growth(bench: Bench) -> Figures:
    """Search a small and a large slide with the embedded network."""
    slides = dict(zip(("small", "large"), map(bench.slide, bench.sizes.growth_columns), strict=True))
    found: dict[str, list[dict[str, float]]] = {"small": [], "large": []}
    for turn, name in enumerate(ORDER):
        found[name].append(_in_own_process(slides[name], bench.folder / f"growth-{turn}"))
    measured = {
        f"{name}_{key}": statistics.median(each[key] for each in runs)
        for name, runs in found.items()
        for key in ("tiles", "peak_mib", "seconds_per_tile")
    }
    figures = {
        "memory_growth": measured["large_peak_mib"] / measured["small_peak_mib"],
        "time_per_tile_growth": measured["large_seconds_per_tile"] / measured["small_seconds_per_tile"],
    }
    return figures, measured


def _in_own_process(slide: Path, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.performance.growth", str(folder), str(slide)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _measure(folder: Path, slide: Path) -> dict[str, float]:
    job = SlideJob(SheetRow(slide.stem, slide, None, None), folder)
    config = settings("embedded")
    check(inspect(job))
    check(tile(job, TileSettings.of(config)))
    start = time.perf_counter()
    check(search(job, SearchSettings.of(config)))
    seconds, tiles = time.perf_counter() - start, tile_count(job)
    # Not getrusage: its figure survives fork and exec, so that it may be the parent's.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return {"tiles": tiles, "peak_mib": peak, "seconds_per_tile": seconds / tiles}


if __name__ == "__main__":
    print(json.dumps(_measure(*map(Path, sys.argv[1:]))))
