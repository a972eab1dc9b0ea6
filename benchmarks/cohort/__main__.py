"""The command of `make test-scale`.

    WSI_SCALE_DATA=… python -m benchmarks.cohort [--slides 1000]

Slides and results lie in results/bench/cohort-<slides>/; the figures in results/bench/scale.json.
"""

import argparse
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cohort.run import SETTINGS, Watched, watch
from benchmarks.cohort.slides import make_slides
from benchmarks.data import RESULTS
from wsi_scale.artifacts.documents import write_json
from wsi_scale.artifacts.runs import read_runs
from wsi_scale.artifacts.status import read_status
from wsi_scale.config.load import load_config
from wsi_scale.execution.machine import processor, usable_cores
from wsi_scale.jobs.cohort import jobs_of
from wsi_scale.stages.report import report_cohort


@dataclass(frozen=True)
class Bound:
    """What is required of a figure: at most so much."""

    most: float
    unit: str


#: Figure → bound. Times for a cohort of 1,000 slides.
REQUIRED: Mapping[str, Bound] = {
    "overhead_cpu_s_per_slide": Bound(1.5, "s"),
    "driver_memory_growth": Bound(1.1, "×"),
    "planning_s": Bound(30, "s"),
    "rerun_s": Bound(60, "s"),
    "report_s": Bound(20, "s"),
    "not_ok": Bound(0, "slides"),
}


def main() -> int:
    """Run a cohort twice and print what it cost; 1 where a figure is above its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cohort")
    parser.add_argument("--slides", type=int, default=1000)
    count = parser.parse_args().slides
    folder = RESULTS / f"cohort-{count}"
    slides, results = folder / "slides", folder / "results"
    make_slides(slides, count)
    shutil.rmtree(results, ignore_errors=True)
    print(f"{count} slides in {slides}; the run's log: {folder / 'run.log'}")
    first = watch(slides, results, folder / "run.log")
    again = watch(slides, results, folder / "again.log")
    figures = {"slides": count, **_figures(results, first, again)}
    failed = [name for name, bound in REQUIRED.items() if figures[name] > bound.most]
    content = {"cases": len(REQUIRED), "as_specified": len(REQUIRED) - len(failed), "failed": failed, **figures}
    write_json(RESULTS / "scale.json", content | {"processor": processor(), "cores": usable_cores()})
    print("\n".join(_table(figures)))
    return bool(failed)


def _figures(results: Path, first: Watched, again: Watched) -> dict[str, float]:
    rows = read_status(results / "status.tsv")
    jobs = jobs_of(results / "planned.json", results)
    # The fit, the report and the slides' pages are work too.
    runs = [run for folder in (results, *(job.folder for job in jobs)) for run in read_runs(folder)]
    work = sum(stage.cpu_seconds for run in runs for stage in run.stages if stage.computed)
    started = time.monotonic()
    # With the run's own settings, so that the slides' pages stand.
    report_cohort(jobs, results, load_config(None, SETTINGS))
    report_s = time.monotonic() - started
    memory = np.array(first.memory_mb)
    early, late = memory[len(memory) // 10 :][: max(1, len(memory) // 10)], memory[-max(1, len(memory) // 10) :]
    return {
        "seconds": first.seconds,
        "work_cpu_s_per_slide": work / len(rows),
        "overhead_cpu_s_per_slide": (first.cpu_seconds - work) / len(rows),
        "driver_memory_mb": float(memory.max()),
        "driver_memory_growth": float(np.median(late) / np.median(early)),
        "planning_s": first.first_job_s,
        "rerun_s": again.seconds,
        "report_s": report_s,
        "not_ok": sum(row.status != "ok" for row in rows),
        "exit_codes": first.code + again.code,
    }


def _table(figures: Mapping[str, float]) -> Iterator[str]:
    for name, value in figures.items():
        bound = REQUIRED.get(name)
        required = f"  required: at most {bound.most:g} {bound.unit}" if bound else ""
        verdict = "" if bound is None else "  ok" if value <= bound.most else "  MISSED"
        yield f"{name:28} {value:10.4g}{required}{verdict}"


if __name__ == "__main__":
    raise SystemExit(main())
