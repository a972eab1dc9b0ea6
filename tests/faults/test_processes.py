"""Processes that meet in a slide's folder, and what a killed one leaves."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs import contents, error_line, in_child, wsi_scale
from wsi_scale.errors import BusyError
from wsi_scale.execution.lock import folder_lock

HOLD = """
import sys, time
from pathlib import Path
from wsi_scale.execution.lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds a folder's lock."""
    command = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_process_says_that_it_waits_and_goes_on_when_the_first_has_ended(
    small_slide: Path, finished_copy: Path
) -> None:
    with holder(finished_copy, 3):
        done = in_child("tile", small_slide, "-o", finished_copy)

    assert done.returncode == 0
    assert done.stderr == f"WARNING {finished_copy}: another process works here; waiting for it\n"
    assert done.stdout == "tile: ok\n"


def test_a_killed_process_holds_no_lock(small_slide: Path, finished_copy: Path) -> None:
    with holder(finished_copy, 600) as process:
        process.kill()

    done = in_child("tile", small_slide, "-o", finished_copy)

    assert done.returncode == 0
    assert done.stderr == ""


def test_whose_patience_ends_says_so(finished_copy: Path) -> None:
    said: list[str] = []
    with holder(finished_copy, 600) as process:
        with (
            pytest.raises(BusyError, match="another process has worked here"),
            folder_lock(finished_copy, patience_s=0.2, on_wait=said.append),
        ):
            pytest.fail("two held the lock")
        process.kill()

    assert said == [f"{finished_copy}: another process works here; waiting for it"]


def test_two_runs_at_once_leave_the_bytes_of_one(small_slide: Path, finished: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wsi_scale", "run", str(small_slide), "-o", str(tmp_path / "out")]

    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate(timeout=200) for run in runs]

    assert [run.returncode for run in runs] == [0, 0], told
    assert contents(tmp_path / "out") == contents(finished)


def test_a_run_that_was_killed_while_it_searched_is_finished_by_the_next(
    small_slide: Path, finished: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "wsi_scale", "run", str(small_slide), "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "tile.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        run.kill()
    assert run.returncode == -9
    assert not (tmp_path / "out" / "search.json").exists()

    result = wsi_scale("run", small_slide, "-o", tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "out") == contents(finished)


def test_what_a_killed_run_left_unfinished_is_swept(small_slide: Path, finished_copy: Path) -> None:
    before = contents(finished_copy)
    (finished_copy / ".tiles.parquet.x7abcdef.wsi-scale-part").write_bytes(b"half")
    for name in (".scale.ome.zarr.a1abcdef.wsi-scale-part", ".features.zarr.b2abcdef.wsi-scale-old"):
        (finished_copy / name / "0").mkdir(parents=True)
        (finished_copy / name / "0" / "chunk").write_bytes(b"half")

    assert wsi_scale("run", small_slide, "-o", finished_copy).exit_code == 0

    assert contents(finished_copy) == before


def test_a_folder_of_another_slide_is_refused(small_slide: Path, finished_copy: Path) -> None:
    before = contents(finished_copy)

    line = error_line(wsi_scale("tile", small_slide, "-o", finished_copy, "--slide-id", "other"))

    assert "holds results of small, not of" in line
    after = contents(finished_copy)
    assert after == before
