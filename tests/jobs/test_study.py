"""What the Snakefile asks at the start."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.runs import configured, draw
from wsi_scale.artifacts.execution import SettledExecution, write_execution
from wsi_scale.artifacts.job_mark import mark_path, write_mark
from wsi_scale.artifacts.plan import read_plan
from wsi_scale.artifacts.record import Record, record_path, write_record
from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.artifacts.status import StatusRow, write_status
from wsi_scale.config.load import parse_config
from wsi_scale.jobs.hardware import settle
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.study import Study, open_study
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.inspect import inspect
from wsi_scale.synthesis import write_pyramid

Start = Callable[[], tuple[Path, set[str]]]


def study(folder: Path, **slides: Any) -> Study:
    return Study(parse_config({"slides": {"path": str(folder), **slides}, "results": str(folder / "results")}))


@pytest.mark.parametrize("mpp", ["metadata", "estimate"])
def test_the_jobs_of_a_slide_run_every_stage_once_and_after_those_that_it_uses(tmp_path: Path, mpp: str) -> None:
    jobs = study(tmp_path, mpp=mpp).jobs()
    order = [stage for job in jobs for stage in job]
    assert sorted(order) == sorted(SLIDE_STAGES)
    for number, stage in enumerate(order):
        after = set(SLIDE_STAGES[stage].after) - ({"predict"} if mpp == "metadata" else set())
        assert after <= set(order[:number]), stage


def test_one_job_loads_a_network_but_where_tiles_wait_for_an_estimate(tmp_path: Path) -> None:
    assert study(tmp_path).jobs() == (("inspect",), ("tile",), ("predict", "search", "extract"))
    assert study(tmp_path, mpp="estimate").jobs() == (("inspect",), ("predict", "tile"), ("search", "extract"))


def test_a_job_is_told_what_its_stages_read_each_once(tmp_path: Path) -> None:
    this = study(tmp_path)
    files = this.cohort_files(("predict", "search", "extract"))
    assert [Path(file).name for file in files] == ["regressor.safetensors", "calibration.json"]
    told = this.options(("predict", "search", "extract"))
    assert told[:2] == [f"--regressor={files[0]}", f"--calibration={files[1]}"]
    assert sorted(told[2:]) == sorted({*this.settings("predict"), *this.settings("search"), *this.settings("extract")})
    assert this.cohort_files(("tile",)) == []
    assert this.options(("tile",)) == this.settings("tile")


#: All stages of the table.
STAGES = SLIDE_STAGES | COHORT_STAGES


@pytest.mark.parametrize("mpp", ["metadata", "estimate"])
def test_only_tile_and_report_are_told_whether_an_estimate_may_stand_in(tmp_path: Path, mpp: str) -> None:
    asked = study(tmp_path, mpp=mpp)
    assert f'--set=slides.mpp="{mpp}"' in asked.settings("tile")
    for stage in STAGES:
        if stage not in ("tile", "report"):
            assert not any("slides.mpp" in setting for setting in asked.settings(stage)), stage


def test_tiles_are_told_whether_only_brightfield_goes_on(tmp_path: Path) -> None:
    assert "--set=slides.brightfield_only=true" in study(tmp_path, brightfield_only=True).settings("tile")


def test_every_stage_that_reads_pixels_is_told_how_much_may_be_unreadable(tmp_path: Path) -> None:
    asked = study(tmp_path, unreadable_share=0.25)
    told = {stage for stage in STAGES if "--set=slides.unreadable_share=0.25" in asked.settings(stage)}
    assert told == {"predict", "tile", "search", "extract", "report"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_told_its_own_keys_only(tmp_path: Path, stage: str) -> None:
    told = [setting.split("=")[1] for setting in study(tmp_path).settings(stage)]
    assert told == list(STAGES[stage].keys)


@pytest.fixture
def started(small_slide: Path, tmp_path: Path) -> Start:
    """Start a run on a folder of one finished slide; the folder, and the stages that it will take up."""
    folder, results = tmp_path / "slides", tmp_path / "slides" / "results"
    folder.mkdir()
    shutil.copy(small_slide, folder / "small.tiff")
    place = results / "slides" / "small"
    inspect(SlideJob(SheetRow("small", folder / "small.tiff", None, None), place))
    for stage in list(SLIDE_STAGES)[1:]:
        write_record(place, Record(stage, "empty", "no tissue found", ""))

    def start() -> tuple[Path, set[str]]:
        values = {"slides": {"path": str(folder)}, "results": str(results)}
        open_study(values, starts=True, needs_slides=True)
        return place, {stage for stage in SLIDE_STAGES if not record_path(place, stage).exists()}

    return start


def test_a_start_takes_up_nothing_that_stands(started: Start) -> None:
    assert started()[1] == set()


def test_a_slide_replaced_by_one_of_an_older_time_is_taken_up(started: Start, tmp_path: Path) -> None:
    slide = tmp_path / "slides" / "small.tiff"
    other = tmp_path / "other.tiff"
    write_pyramid(other, draw(3.0, 300, 300), 0.25)
    os.utime(other, (1.5e9, 1.5e9))
    shutil.copy2(other, slide)
    assert slide.stat().st_mtime == 1.5e9
    assert started()[1] == {"inspect"}


def test_a_slide_that_was_touched_and_is_the_same_is_not_taken_up(started: Start, tmp_path: Path) -> None:
    os.utime(tmp_path / "slides" / "small.tiff")
    assert started()[1] == set()


@pytest.mark.parametrize("cohort", ["float32", "bfloat16"])
def test_a_slide_that_was_computed_in_another_dtype_than_its_cohort_is_taken_up(
    started: Start, tmp_path: Path, cohort: Literal["float32", "bfloat16"]
) -> None:
    results = tmp_path / "slides" / "results"
    job = SlideJob(SheetRow("small", Path("small.tiff"), None, None), results / "slides" / "small")
    state = FolderState(job.folder)
    settle(job, configured("execution.dtype=float32").execution, state)
    state.save()
    write_execution(results, SettledExecution("cpu", cohort))
    assert started()[1] == (set() if cohort == "float32" else {"predict", "search", "extract"})


def test_all_of_a_slide_whose_results_the_report_could_not_read_is_taken_up(started: Start, tmp_path: Path) -> None:
    rows = [StatusRow("small", "small.tiff", "failed", "overlay.png is damaged"), StatusRow("old", "o", "failed", "")]
    write_status(tmp_path / "slides" / "results", rows)
    assert started()[1] == set(SLIDE_STAGES)


def test_a_job_on_another_machine_goes_by_the_plan(started: Start, tmp_path: Path) -> None:
    started()
    folder = tmp_path / "slides"
    (folder / "small.tiff").unlink()
    (folder / "new.svs").touch()
    values = {"slides": {"path": str(folder)}, "results": str(folder / "results")}
    there = open_study(values, starts=False, needs_slides=True, goes_on=True)
    assert {slide_id: row.path for slide_id, row in there.rows.items()} == {"small": folder / "small.tiff"}
    assert there.batches["small"].slide_ids == ("small",)


# Batches and their marks


def mark(started: Start) -> Path:
    """Let the slide's last job have ended; its mark."""
    path = mark_path(started()[0].parents[1], "small", ("predict", "search", "extract"))
    write_mark(path, ["small"])
    return path


def test_a_mark_of_a_job_stands_while_its_slides_have_all_records(started: Start) -> None:
    path = mark(started)
    place, _ = started()
    assert path.exists()
    record_path(place, "search").unlink()
    started()
    assert not path.exists()


def test_a_mark_of_other_slides_than_the_batch_has_counts_for_nothing(started: Start) -> None:
    path = mark(started)
    write_mark(path, ["small", "gone"])
    started()
    assert not path.exists()


def test_a_slide_with_another_row_in_the_sheet_is_taken_up(started: Start, tmp_path: Path) -> None:
    path = mark(started)
    sheet = tmp_path / "slides.tsv"
    for mpp, stands in (("", True), ("0.25", False)):
        sheet.write_text(f"slide_id\tpath\tmpp\nsmall\t{tmp_path / 'slides' / 'small.tiff'}\t{mpp}\n")
        open_study(
            {"slides": {"path": str(sheet)}, "results": str(tmp_path / "slides" / "results")},
            starts=True, needs_slides=True,
        )  # fmt: skip
        assert path.exists() is stands


def test_slides_that_come_later_leave_the_batches_as_they_were(started: Start, tmp_path: Path) -> None:
    path = mark(started)
    for number in range(40):
        (tmp_path / "slides" / f"{number}.svs").touch()
    started()
    assert path.exists()
    batch_of = {slide.slide_id: slide.batch for slide in read_plan(tmp_path / "slides" / "results" / "planned.json")}
    assert batch_of["small"] == "small"
    assert len(set(batch_of.values())) == 1 + 14  # of 40 new ones, three each
