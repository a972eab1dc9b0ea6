"""The machine, and what a process has used of it."""

import os
import subprocess
import sys

import numpy as np
import psutil

from wsi_scale.execution.machine import (
    cpu_seconds,
    gpus_in_use,
    memory_mb,
    peak_gpu_memory_mb,
    peak_memory_mb,
    processor,
    usable_cores,
)


def test_it_is_what_another_library_finds() -> None:
    assert memory_mb() * 10**6 == psutil.virtual_memory().total // 10**6 * 10**6
    assert usable_cores() == len(psutil.Process().cpu_affinity() or ())
    assert processor()


def test_memory_that_was_used_for_a_moment_counts() -> None:
    before = peak_memory_mb()
    now = psutil.Process().memory_info().rss / 1e6
    used = np.ones(int((before - now + 200) * 1e6), np.uint8)
    del used

    assert peak_memory_mb() >= before + 150


def test_time_of_children_counts() -> None:
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    assert cpu_seconds() - before > 0.1
    assert cpu_seconds() <= sum(os.times()[:4]) + 0.1


def test_no_gpu_is_in_use_where_none_was_asked_for() -> None:
    assert gpus_in_use() == ()
    assert peak_gpu_memory_mb() == 0
