"""The machine, and what a process has used of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from wsi_scale.execution.machine import (
    boot_id,
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


def test_where_the_system_tells_no_share_the_cores_of_the_machine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() == os.cpu_count()


def test_the_start_of_the_machine_has_one_id_and_its_lack_is_an_error_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert boot_id() == boot_id() != ""
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with pytest.raises(OSError, match="sysctl"):
        boot_id()


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
