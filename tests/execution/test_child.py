"""Tasks in a child process, and what becomes of those that kill it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from wsi_scale.execution.child import Death, StoppedError, in_child

Tell = Callable[[str], None]


def double(task: int, tell: Tell) -> tuple[int, int]:
    """Double a number; 3 ends its process in its second step, 4 with a code, 5 as a scheduler would."""
    tell("first")
    tell("second")
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 4:
        os._exit(7)
    if task == 5:
        os.kill(os.getpid(), signal.SIGTERM)
    return 2 * task, os.getpid()


def no_death(task: int, death: Death) -> None:
    raise AssertionError((task, death))


def test_one_process_that_is_not_this_one_computes_all_tasks_in_order() -> None:
    answers = list(in_child(double, [2, 1, 0], no_death))

    assert [number for number, _ in answers] == [4, 2, 0]
    assert len({process for _, process in answers}) == 1
    assert answers[0][1] != os.getpid()


def test_no_task_needs_no_process() -> None:
    assert list(in_child(double, [], no_death)) == []


def test_a_task_that_kills_its_process_costs_no_other_and_what_is_left_of_it_is_computed() -> None:
    deaths = []

    def on_death(task: int, death: Death) -> int | None:
        deaths.append((task, death))
        return 6 if task == 3 else None

    answers = list(in_child(double, [1, 3, 2, 4, 0], on_death))

    assert deaths == [(3, Death(137, "second")), (4, Death(7, "second"))]
    assert [number for number, _ in answers] == [2, 12, 4, 0]


def test_a_child_that_is_told_to_end_ends_the_run() -> None:
    running = in_child(double, [1, 5, 2], no_death)
    assert next(running)[0] == 2
    with pytest.raises(StoppedError) as stopped:
        next(running)
    assert stopped.value.exit_code == 143


def sleep(task: int, tell: Tell) -> None:
    """Say which process this is, and do nothing for a long time."""
    Path(f"{task}.pid").write_text(str(os.getpid()))
    time.sleep(60)


PARENT = "from tests.execution.test_child import *; list(in_child(sleep, [1], no_death))"


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, env=os.environ | {"PYTHONPATH": root}
    ) as parent:
        deadline = time.monotonic() + 60
        while not (told := tmp_path / "1.pid").exists() or not told.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child = psutil.Process(int(told.read_text()))
        parent.kill()
    assert psutil.wait_procs([child], timeout=10)[1] == []
