"""Seconds of commands that compute little, in fresh processes."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.performance.material import Bench
from benchmarks.performance.searching import Figures
from benchmarks.performance.timing import Work, seconds_in_turn


def start_up(bench: Bench) -> Figures:
    """Seconds of ``wsi-scale --help`` and of ``wsi-scale inspect SLIDE``."""
    rounds = min(3, bench.sizes.short_rounds)
    results = bench.folder / "inspected"
    slide = bench.slide(bench.sizes.columns)

    def inspect() -> None:
        shutil.rmtree(results, ignore_errors=True)
        _run("inspect", str(slide), "--results", str(results))

    works: dict[str, Work] = {"help": lambda: _run("--help"), "inspect": inspect}
    seconds_in_turn(works, 1)  # so that files come from memory
    return {"start_up": seconds_in_turn(works, rounds)}, {"rounds": rounds}


def _run(*arguments: str) -> None:
    """Run the installed command, or the module where it is not beside this Python."""
    installed = Path(sys.executable).with_name("wsi-scale")
    command = [str(installed)] if installed.exists() else [sys.executable, "-m", "wsi_scale"]
    subprocess.run([*command, *arguments], check=True, capture_output=True)
