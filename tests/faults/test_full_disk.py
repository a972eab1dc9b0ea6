"""A disk that is full ends a run in one line, and what was there before stays whole."""

import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs import contents, error_line, in_child, wsi_scale


def at_most(size: int) -> Callable[[], None]:
    """Let no file of a child grow beyond ``size`` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def unfinished(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.endswith(("-part", "-old"))]


def test_a_run_ends_in_one_line_and_leaves_nothing_half_done(small_slide: Path, tmp_path: Path) -> None:
    done = in_child("run", "-q", small_slide, "--output", tmp_path / "out", preexec_fn=at_most(100_000))

    line = error_line(done)
    assert "File too large; free some space or choose another folder" in line
    assert done.stderr.count("\n") == 1
    assert unfinished(tmp_path) == []
    assert not (tmp_path / "out" / "overlay.png").exists()


def test_not_even_a_record_can_be_written(small_slide: Path, tmp_path: Path) -> None:
    done = in_child("inspect", small_slide, "--output", tmp_path / "out", preexec_fn=at_most(0))

    assert "File too large; free some space or choose another folder" in error_line(done)
    assert unfinished(tmp_path) == []


@pytest.mark.parametrize(
    ("stage", "assignment", "limit"),
    [
        ("tile", "tiling.min_tissue=0.9", 100_000),
        ("search", "map.ome_zarr_version=0.4", 700),
        ("extract", "features.mpps=[0.5]", 2_000),
    ],
)
def test_a_stage_that_cannot_write_leaves_the_earlier_artefacts_whole(
    small_slide: Path, finished_copy: Path, stage: str, assignment: str, limit: int
) -> None:
    before = contents(finished_copy)

    done = in_child(stage, small_slide, "-o", finished_copy, "--set", assignment, preexec_fn=at_most(limit))

    after = contents(finished_copy)
    assert "cannot write" in error_line(done)
    assert "File too large" in error_line(done)
    assert {name for name in before if after.get(name) != before[name]} <= {f"{stage}.json", "thumbnail.jpg"}
    # Blocks that are finished are kept for the run that follows.
    assert {name for name in after if ".progress." not in name} == set(before)
    assert json.loads(after[f"{stage}.json"])["status"] == "failed"

    # With room again the same command does it.
    assert wsi_scale(stage, small_slide, "-o", finished_copy, "--set", assignment).exit_code == 0
