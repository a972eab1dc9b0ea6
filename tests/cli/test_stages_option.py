"""`wsi-scale run --stages`: some stages of a slide in one process, a record for each."""

import json
import shutil
from pathlib import Path

import pytest

from tests.runs import contents, error_line, wsi_scale
from wsi_scale.artifacts.record import read_record

LATER = ("predict", "search", "extract")


@pytest.fixture
def tiled(finished_copy: Path) -> Path:
    """What `inspect` and `tile` leave of the small slide."""
    for stage in LATER:
        for name in json.loads((finished_copy / f"{stage}.json").read_text())["files"]:
            (finished_copy / name).unlink()
        (finished_copy / f"{stage}.json").unlink()
    for store in ("scale.ome.zarr", "features.zarr"):
        shutil.rmtree(finished_copy / store)
    (finished_copy / "report.html").unlink()
    return finished_copy


def test_several_stages_leave_the_bytes_of_a_whole_run_and_no_page(
    small_slide: Path, finished: Path, tiled: Path
) -> None:
    result = wsi_scale("run", small_slide, "--output", tiled, "--stages", "extract,search,predict")

    assert result.exit_code == 0, result.output
    assert result.stdout == "predict: ok\nsearch: ok\nextract: ok\n"
    assert "[search]" not in result.stderr
    assert not (tiled / "report.html").exists()
    assert contents(tiled) == contents(finished)


def test_a_log_of_a_workflow_has_a_line_for_each_stage_and_a_failure_is_no_error(tmp_path: Path) -> None:
    slide, folder = tmp_path / "text.svs", tmp_path / "out"
    slide.write_text("nothing " * 9)

    result = wsi_scale("run", slide, "--output", folder, "--stages", "inspect,tile", "--record-only")

    assert result.exit_code == 0
    heading, reason, second, again = result.stderr.splitlines()
    assert (heading, second) == ("[inspect]", "[tile]")
    assert reason == again
    assert reason.startswith("error: text.svs: not a known slide or image format")
    for stage in ("inspect", "tile"):
        record = read_record(folder, stage)
        assert record is not None
        assert record.status == "failed"
    assert read_record(folder, "predict") is None


def test_a_failure_exits_1_after_all_stages(tmp_path: Path) -> None:
    slide, folder = tmp_path / "text.svs", tmp_path / "out"
    slide.write_text("nothing " * 9)

    assert wsi_scale("run", slide, "--output", folder, "--stages", "inspect,tile").exit_code == 1
    assert (folder / "tile.json").exists()


@pytest.mark.parametrize("stages", ["tiles", "tile,,search", "tile,report", ""])
def test_what_is_no_stage_is_told(small_slide: Path, tmp_path: Path, stages: str) -> None:
    result = wsi_scale("run", small_slide, "--output", tmp_path / "out", f"--stages={stages}")

    assert "known: inspect, predict, tile, search, extract" in error_line(result)
    assert not (tmp_path / "out").exists()


def test_a_stage_before_which_another_must_run_says_so(small_slide: Path, tmp_path: Path) -> None:
    result = wsi_scale("run", small_slide, "--output", tmp_path / "out", "--stages", "tile")

    assert "`tile` needs `wsi-scale inspect` first" in error_line(result)
