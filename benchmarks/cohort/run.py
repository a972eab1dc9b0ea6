"""A run of the workflow, watched from outside."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between two looks at the driver's memory.
PAUSE_S = 1.0
#: What a batch of small slides computes, in a fraction of the time of the defaults.
SETTINGS = (
    "magnification={tiles_per_slide: 8, fit_tiles_per_slide: 8}",
    "features={mpps: [0.5], optimal: false}",
)


@dataclass(frozen=True)
class Watched:
    """A run that has ended.

    Attributes
    ----------
    code
        Exit status.
    seconds, cpu_seconds
        By the clock, and of all its processes.
    first_job_s
        Seconds until its first job had started.
    memory_mb
        Resident memory of the driver at each look.
    """

    code: int
    seconds: float
    cpu_seconds: float
    first_job_s: float
    memory_mb: Sequence[float]


def watch(slides: Path, results: Path, log: Path) -> Watched:
    """Run the workflow and look at its driver, the process that plans and starts the jobs."""
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--config"]
    command += [f"slides={slides}", f"results={results}", *SETTINGS]
    before, started = _children_s(), time.monotonic()
    memory: list[float] = []
    with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as driver:
        watcher = threading.Thread(target=_look, args=(psutil.Process(driver.pid), memory))
        watcher.start()
        first = _first_job(driver, log, started)
        code = driver.wait()
        watcher.join()
    return Watched(code, time.monotonic() - started, _children_s() - before, first, memory)


def _children_s() -> float:
    """Processor time of all children that have ended, and of theirs."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _look(driver: psutil.Process, memory: list[float]) -> None:
    try:
        while driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE:
            memory.append(driver.memory_info().rss / 1e6)
            time.sleep(PAUSE_S)
    except psutil.NoSuchProcess:
        return


def _first_job(driver: "subprocess.Popen[bytes]", log: Path, started: float) -> float:
    while driver.poll() is None and "localrule " not in log.read_text(errors="replace"):
        time.sleep(0.05)
    return time.monotonic() - started
