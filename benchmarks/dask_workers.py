"""What a second Dask worker gains: one slide searched by one worker, by two and on threads, in turn in one run.

Every worker is a process of one thread, and the scheduler and the command that waits for them have the same cores. All
is loaded before the first round; seconds are those of the whole stage ``search``.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import LocalCluster

from benchmarks.data import RESULTS, data_root
from benchmarks.performance.material import Bench, check, settings, tile_count
from benchmarks.performance.record import hardware, rounded
from benchmarks.performance.timing import Work, seconds_in_turn
from wsi_scale.artifacts.manifest import StoredFile
from wsi_scale.config.settings import SearchSettings
from wsi_scale.stages.search import search

#: Least times as fast that two workers must be.
REQUIRED = 1.7
WORKERS = (1, 2)


@dataclass
class Searches:
    """Searches of one slide, and the files that they wrote.

    Attributes
    ----------
    bench
        Where slides and results lie.
    columns
        Crops along each side of the slide.
    written
        Files of each search, with their digests.
    """

    bench: Bench
    columns: int
    written: list[dict[str, StoredFile]] = field(default_factory=list)

    def search(self, workers: int, scheduler: str | None) -> None:
        """Search the slide on a cluster, or on so many threads of this process."""
        config = settings("embedded", execution={"workers": workers})
        job = self.bench.job(self.bench.slide(self.columns), "search")
        record = search(job, SearchSettings.of(config), None, scheduler)
        check(record)
        self.written.append(dict(record.files))

    def warm_up(self, scheduler: str | None) -> None:
        """Let every worker load what it needs, by blocks of one tile."""
        config = settings("embedded", execution={"workers": max(WORKERS), "block_tiles": 1})
        check(search(self.bench.job(self.bench.slide(2), "warm"), SearchSettings.of(config), None, scheduler))


def measure(searches: Searches, rounds: int) -> dict[str, Any]:
    """Search with one worker, with two and on two threads, in turn; ratios and medians of the seconds."""
    with ExitStack() as stack:
        clusters = {workers: stack.enter_context(_cluster(workers)).scheduler_address for workers in WORKERS}
        for scheduler in (*clusters.values(), None):
            searches.warm_up(scheduler)
        works: dict[str, Work] = {
            f"workers_{workers}": partial(searches.search, workers, scheduler)
            for workers, scheduler in clusters.items()
        }
        works["threads_2"] = partial(searches.search, 2, None)
        took = seconds_in_turn(works, rounds)
    return {
        "two_workers_over_one": took["workers_1"] / took["workers_2"],
        "two_workers_over_two_threads": took["threads_2"] / took["workers_2"],
        "required": REQUIRED,
        "same_bytes": all(files == searches.written[0] for files in searches.written),
        "seconds": took,
        "rounds": rounds,
        "tiles": tile_count(searches.bench.job(searches.bench.slide(searches.columns), "count")),
        "hardware": hardware() | {"distributed": version("distributed")},
    }


def _cluster(workers: int) -> LocalCluster:
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0"
    )


def main() -> int:
    """Measure, print and write; 1 where bytes differ or a second worker gains too little."""
    arguments = _arguments()
    if not arguments.quick:
        data_root()
    with TemporaryDirectory(prefix="bench-") as folder:
        searches = Searches(Bench(arguments.quick, Path(folder)), arguments.columns)
        measured = rounded(measure(searches, arguments.rounds))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    ratio, same = measured["two_workers_over_one"], measured["same_bytes"]
    print(f"{measured['tiles']} tiles; seconds: {measured['seconds']}")
    print(f"two workers are {ratio:.2f} times as fast as one (required: {REQUIRED})")
    print("the same bytes" if same else "OTHER BYTES")
    print(f"wrote {arguments.output}")
    return 0 if same and (arguments.quick or ratio >= REQUIRED) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_workers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a trial on drawn tissue, whose ratio says nothing")
    parser.add_argument("--columns", type=int, default=16, help="crops of four tiles along each side (default: 16)")
    parser.add_argument("--rounds", type=int, default=3, help="searches of each kind, in turn (default: 3)")
    parser.add_argument("--output", type=Path, default=RESULTS / "dask.json", help="file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
