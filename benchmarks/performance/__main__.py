"""The command: every measurement in its turn, each guarded; then the table."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import RESULTS, data_root
from benchmarks.performance.dense import dense_cost
from benchmarks.performance.difference import difference, dtype_difference
from benchmarks.performance.growth import growth
from benchmarks.performance.lazyslide import extract_vs_lazyslide
from benchmarks.performance.material import Bench
from benchmarks.performance.passes import matmul_fraction
from benchmarks.performance.published import search_vs_published
from benchmarks.performance.reading import read_vs_openslide
from benchmarks.performance.record import LeftOutError, Record
from benchmarks.performance.required import table
from benchmarks.performance.searching import Figures, searching
from benchmarks.performance.starting import start_up

#: Measurements, and the figures that each gives.
MEASUREMENTS: dict[Callable[[Bench], Figures], tuple[str, ...]] = {
    start_up: ("start_up",),
    read_vs_openslide: ("read_vs_openslide",),
    matmul_fraction: ("matmul_fraction",),
    growth: (
        *("memory_growth", "time_per_tile_growth"),
        *("memory_growth_extract", "time_per_tile_growth_extract"),
    ),
    searching: (
        *("tiles_per_second", "embedded_vs_vgg19", "adaptive_vs_full", "search_vs_plain", "pipeline_overhead"),
    ),
    difference: ("difference",),
    dtype_difference: ("dtype_difference",),
    search_vs_published: ("search_vs_published",),
    dense_cost: ("dense_cost",),
    extract_vs_lazyslide: ("extract_vs_lazyslide",),
}


def main() -> int:
    """Measure, write and print; 1 where a measurement broke."""
    arguments = _arguments()
    if not arguments.quick:
        data_root()
    output = arguments.output or RESULTS / f"performance{'-quick' if arguments.quick else ''}.json"
    record = Record.kept(output) if arguments.only else Record(output)
    record.describe(RESULTS / "gpu.json")
    broken = 0
    with TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(arguments.quick, Path(folder))
        for measurement, figures in MEASUREMENTS.items():
            if not arguments.only or set(figures) & set(arguments.only):
                broken += not _measured(measurement, figures, bench, record)
    print("\n".join(table(record.content)))
    print(f"wrote {output}")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    names = [figure for figures in MEASUREMENTS.values() for figure in figures]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="try everything in tiny sizes on drawn tissue")
    parser.add_argument("--only", nargs="+", choices=names, metavar="FIGURE", help="measure some anew, keep the others")
    parser.add_argument("--output", type=Path, help="file of figures (default: results/bench/performance.json)")
    return parser.parse_args()


def _measured(measurement: Callable[[Bench], Figures], figures: tuple[str, ...], bench: Bench, record: Record) -> bool:
    """Run a measurement and note what it gives, or why it gives nothing; False where it broke."""
    start = time.monotonic()
    print(f"{measurement.__name__} …", end=" ", flush=True)
    values: dict[str, Any] = {}
    reason, sound = bench.lacking, True
    try:
        values, measured = measurement(bench)
        record.add(values, measured | {"measured_in_s": time.monotonic() - start}, measurement.__name__)
    except LeftOutError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other measurements have their turn
        reason, sound = f"{type(error).__name__}: {str(error).strip()[:500]}", False
    for figure in figures:
        if figure not in values:
            record.leave_out(figure, reason)
    for figure, value in values.items():
        if isinstance(value, dict) and "embedded" in value and bench.lacking:
            record.leave_out(figure, reason, "vgg19")
    print(f"{time.monotonic() - start:.0f} s", flush=True)
    return sound


if __name__ == "__main__":
    sys.exit(main())
