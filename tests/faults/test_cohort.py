"""Steps that look at all slides of a cohort: one bad slide, or one job that dies, costs nobody else."""

import csv
import json
import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import tifffile

from tests.runs import MPP, configured, draw, job, rename_slide, wsi_scale
from tests.workflow.conftest import REPOSITORY, command
from wsi_scale.artifacts.record import Record, read_record, write_record
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.status import StatusRow, read_status
from wsi_scale.config.settings import FitSettings, TileSettings
from wsi_scale.jobs.cohort import jobs_in, jobs_of, plan
from wsi_scale.jobs.death import record_death, record_failure
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.fit import fit
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.report import complete, report_cohort
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import write_pyramid

FAST = ("magnification.fit_tiles_per_slide=8", "magnification.tiles_per_slide=8")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def wound(path: Path) -> None:
    """Wipe out the tile in the middle of level 0, and leave the header as it is."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        middle = len(page.dataoffsets) // 2
        offset, length = page.dataoffsets[middle], page.databytecounts[middle]
    content = bytearray(path.read_bytes())
    content[offset : offset + length] = bytes(length)
    path.write_bytes(content)


def inspected(paths: list[Path], folder: Path) -> list[SlideJob]:
    jobs = [SlideJob(SheetRow(path.stem, path, None, None), folder / "slides" / path.stem) for path in paths]
    for this in jobs:
        inspect(this)
    return jobs


# The regressor


def test_a_regressor_is_fitted_without_the_slides_that_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slides = [tmp_path / f"{name}.tiff" for name in ("sound", "gone", "damaged", "died")]
    for path in slides:
        write_pyramid(path, draw(3.0, 300, 300), MPP)
    jobs = inspected(slides, tmp_path)
    slides[1].unlink()
    slides[2].write_bytes(b"II*\0" + bytes(100))
    write_record(jobs[3].folder, Record("inspect", "failed", "inspect was killed before it could record a reason", ""))

    path = fit(jobs, FitSettings.of(configured(*FAST)), tmp_path / "regressor.safetensors")

    assert path.read_bytes() == shipped_regressor().read_bytes()
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.split(" is not used for fitting: ")[0] for message in warned] == ["gone", "damaged", "died"]
    assert "No such file" in warned[0]
    assert "was killed before it could record a reason" in warned[2]


@pytest.mark.long
def test_a_damaged_region_under_a_good_header_costs_the_regressor_that_slide_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slides = [tmp_path / f"{number}.tiff" for number in range(6)]
    for number, path in enumerate(slides):
        write_pyramid(path, draw(3.0 + 0.1 * number, 700, 700, seed=40 + number), MPP)
    jobs = inspected(slides, tmp_path)
    wound(slides[2])

    path = fit(jobs, FitSettings.of(configured(*FAST)), tmp_path / "regressor.safetensors")

    header = read_regressor(path).header
    assert header["source"] == "cohort"
    assert set(header["fold_of"]) == {"0", "1", "3", "4", "5"}
    assert "2 is not used for fitting" in caplog.text


# The report


def damaged(finished: Path, folder: Path, *names: str) -> list[SlideJob]:
    """Jobs of copies of the finished slide: a sound one, and one for each file that is cut."""
    for slide_id, name in (("sound", ""), *((name.split(".")[0], name) for name in names)):
        place = Path(shutil.copytree(finished, folder / "slides" / slide_id))
        rename_slide(place, slide_id)
        if name:
            cut(place / name)
    return jobs_in(folder)


def told(path: Path) -> dict[str, StatusRow]:
    return {row.slide_id: row for row in read_status(path / "status.tsv")}


@pytest.mark.parametrize("most_embedded", [50, 1])
def test_a_result_that_cannot_be_read_is_a_failed_row_and_the_page_shows_the_rest(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_embedded: int
) -> None:
    monkeypatch.setattr("wsi_scale.stages.report.MOST_EMBEDDED", most_embedded)
    jobs = damaged(finished, tmp_path, "overlay.png", "thumbnail.jpg", "tiles.parquet")

    report_cohort(jobs, tmp_path, configured())

    rows = told(tmp_path)
    assert rows["sound"].status == "ok"
    for name in ("overlay.png", "thumbnail.jpg", "tiles.parquet"):
        row = rows[name.split(".")[0]]
        assert row.status == "failed"
        assert name in row.reason
        assert "run `wsi-scale" in row.reason
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(slide_id in page for slide_id in rows)


@pytest.mark.parametrize("name", ["overlay.png", "thumbnail.jpg", "tissue.png"])
def test_a_picture_that_was_cut_is_drawn_anew(small_slide: Path, finished_copy: Path, name: str) -> None:
    before = (finished_copy / name).read_bytes()
    cut(finished_copy / name)

    assert tile(job(small_slide, finished_copy), TileSettings.of(configured())).status == "ok"

    assert (finished_copy / name).read_bytes() == before


def test_a_slide_whose_single_run_was_killed_at_once_is_a_failed_row(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "slides" / "small")
    inspect(job(tmp_path / "none.svs", tmp_path / "slides" / "killed"))
    (tmp_path / "slides" / "killed" / "inspect.json").unlink()

    result = wsi_scale("report", tmp_path)

    assert result.exit_code == 1
    rows = told(tmp_path)
    assert {slide_id: row.status for slide_id, row in rows.items()} == {"small": "ok", "killed": "failed"}
    assert "inspect did not finish" in rows["killed"].reason


# The workflow's own commands


def test_jobs_for_all_slides_go_by_the_plan_and_not_by_the_folder(tmp_path: Path) -> None:
    folder, results = tmp_path / "slides", tmp_path / "results"
    folder.mkdir()
    names = ("stays.svs", "goes.svs", os.fsdecode(b"Gewebe-\xe4 100%.svs"))
    for name in names:
        (folder / name).touch()
    rows = [this.row for this in jobs_of(folder, results)]
    plan(results, rows)
    (folder / "goes.svs").unlink()
    (folder / "comes.svs").touch()

    jobs = jobs_of(results / "planned.json", results)

    assert [this.row for this in jobs] == rows
    assert {this.row.path for this in jobs} == {folder / name for name in names}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (137, "search was killed before it could record a reason (out of memory?)"),
        (139, "search was killed before it could record a reason (SIGSEGV)"),
        (135, "search was killed before it could record a reason (SIGBUS)"),
        (2, "search ended with exit code 2 before it could record a reason; see the slide's log"),
    ],
)
def test_what_a_process_could_not_record_itself_is_recorded(tmp_path: Path, code: int, reason: str) -> None:
    this = job(tmp_path / "a.svs", tmp_path / "a")
    record_death(this, "search", code)
    assert read_record(this.folder, "search") == Record("search", "failed", reason, "")


def test_a_failure_is_recorded_where_no_record_tells_of_the_stage(tmp_path: Path) -> None:
    this = job(tmp_path / "a.svs", tmp_path / "a")
    for reason in ("the folder is full", "said too late"):
        record_failure(this, "search", reason)
    assert read_record(this.folder, "search") == Record("search", "failed", "the folder is full", "")


def test_a_run_that_ended_before_its_report_gets_one_and_a_good_report_stays(finished: Path, tmp_path: Path) -> None:
    jobs = damaged(finished, tmp_path)
    (tmp_path / "killed.svs").write_bytes(b"")
    killed = SlideJob(SheetRow("killed", tmp_path / "killed.svs", None, None), tmp_path / "slides" / "killed")

    rows = complete([*jobs, killed], tmp_path, configured())

    assert {row.slide_id: row.status for row in rows} == {"sound": "ok", "killed": "failed"}
    assert "inspect did not finish" in told(tmp_path)["killed"].reason
    assert (tmp_path / "audit.tsv").exists()
    written = (tmp_path / "report.html").stat().st_mtime_ns
    complete([*jobs, killed], tmp_path, configured())
    assert (tmp_path / "report.html").stat().st_mtime_ns == written


# A whole run


def children_of(process: psutil.Process) -> Iterator[tuple[psutil.Process, list[str]]]:
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            line = child.cmdline()
            if line:  # one that has just ended has none
                yield child, line


def meanwhile(process: psutil.Process, act: Callable[[psutil.Process, list[str]], bool]) -> threading.Thread:
    """Look at a run's processes until something was done to one of them, or the run ends."""

    def look() -> None:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if any(act(child, line) for child, line in children_of(process)):
                return
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    return thread


@pytest.mark.long
def test_a_run_in_which_two_jobs_are_killed_and_one_slide_vanishes_does_the_others(tmp_path: Path) -> None:
    slides, results = tmp_path / "slides", tmp_path / "results"
    slides.mkdir()
    for number, name in enumerate(("kept", "killed", "halved", "vanished")):
        write_pyramid(slides / f"{name}.tiff", draw(3.0, 300, 300, seed=number), MPP)

    def killing(slide_id: str, stage: str) -> Callable[[psutil.Process, list[str]], bool]:
        note = results / "jobs" / slide_id / "at-work.json"

        def kill(child: psutil.Process, line: list[str]) -> bool:
            with suppress(FileNotFoundError):
                at = json.loads(note.read_text())
                if at["stage"] == stage and at["process"] == child.pid:
                    child.kill()
                    return True
            return False

        return kill

    def vanish(child: psutil.Process, line: list[str]) -> bool:
        if not (results / "slides" / "vanished" / "inspect.json").exists():
            return False
        (slides / "vanished.tiff").unlink()
        shutil.copy(slides / "kept.tiff", slides / "appeared.tiff")
        return True

    acts = (killing("killed", "inspect"), killing("halved", "predict"), vanish)
    # As a user would: without a profile, and thus without keep-going.
    with subprocess.Popen(
        command(slides, results, "--workflow-profile", "none"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY,
    ) as run:  # fmt: skip
        watching = [meanwhile(psutil.Process(run.pid), act) for act in acts]
        output, _ = run.communicate(timeout=500)
    for thread in watching:
        thread.join(timeout=10)

    assert run.returncode == 1, output
    rows = told(results)
    assert {slide_id: row.status for slide_id, row in rows.items()} == {
        "kept": "ok", "killed": "failed", "halved": "failed", "vanished": "failed",
    }, output  # fmt: skip
    assert rows["killed"].reason == "inspect was killed before it could record a reason (out of memory?)"
    # What does not depend on the stage at which a process died is done by another process.
    assert "predict was killed before it could record a reason (out of memory?)" in rows["halved"].reason
    halved = {stage: read_record(results / "slides" / "halved", stage) for stage in SLIDE_STAGES}
    assert {stage for stage, record in halved.items() if record is None or record.status != "ok"} == {"predict"}
    assert "vanished.tiff: cannot be read (No such file or directory)" in rows["vanished"].reason
    assert all(read_record(results / "slides" / "kept", stage) is not None for stage in SLIDE_STAGES)
    with (results / "audit.tsv").open(encoding="utf-8", newline="") as stream:
        assert "kept" in {row["slide_id"] for row in csv.DictReader(stream, delimiter="\t")}
    assert all(slide_id in (results / "report.html").read_text(encoding="utf-8") for slide_id in rows)
    assert "4 slides: 1 ok, 3 failed" in output
