"""A batch's slides in one process, and how a run tells where it stands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.runs import MPP, configured, draw, error_line, in_child, wsi_scale
from wsi_scale.artifacts.record import read_record
from wsi_scale.artifacts.runs import read_runs
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.batch import Part, Work
from wsi_scale.jobs.cohort import batch_jobs, plan
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.synthesis import write_pyramid

NAMES = ("first", "broken", "last")


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    """A plan with a batch of two good slides and a broken one between them."""
    for number, name in enumerate(NAMES):
        write_pyramid(tmp_path / f"{name}.tiff", draw(3.0, 300, 300, seed=number), MPP)
    (tmp_path / "broken.tiff").write_text("no slide\n" * 50)
    rows = [SheetRow(name, tmp_path / f"{name}.tiff", None, None) for name in NAMES]
    plan(tmp_path / "results", rows, dict.fromkeys(NAMES, "batch-0001"))
    return tmp_path / "results" / "planned.json"


def work(plan: Path, stages: str, *more: object) -> tuple[object, ...]:
    return ("work", plan, "batch-0001", "--stages", stages, *more)


def test_the_slides_of_a_batch_share_a_process_and_each_has_its_records_and_its_log(planned: Path) -> None:
    done = in_child(*work(planned, "inspect,tile"))

    assert done.returncode == 0, done.stderr
    results = planned.parent
    told = {name: [read_record(results / "slides" / name, stage) for stage in ("inspect", "tile")] for name in NAMES}
    assert {name: [one.status for one in records if one] for name, records in told.items()} == {
        "first": ["ok", "ok"], "broken": ["failed", "failed"], "last": ["ok", "ok"],
    }  # fmt: skip
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["broken"]
    assert "not a known slide" in (results / "logs" / "slides" / "broken.log").read_text()
    assert (results / "logs" / "slides" / "last.log").read_text() == "[inspect]\n[tile]\n"
    assert (results / "jobs" / "batch-0001" / "inspect_tile.txt").read_text().split() == list(NAMES)
    assert not list(results.glob("jobs/*/at-work.json"))
    for name in NAMES:
        (run,) = read_runs(results / "slides" / name)
        assert [stage.stage for stage in run.stages] == ["inspect", "tile"]
        assert run.command[:2] == ("wsi-scale", "work")


def test_what_a_batch_does_with_a_slide_stands_in_its_records_its_log_and_its_page(
    planned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = {job.row.slide_id: job for job in batch_jobs(planned, "batch-0001")}
    jobs["last"].folder.mkdir(parents=True)
    (jobs["last"].folder / "slide.json").write_text("a note of the user")
    stages = tuple(SLIDE_STAGES)
    told: list[str] = []
    quick = configured("magnification.tiles_per_slide=4", "features.mpps=[1.0]", "features.optimal=false")
    work_on = Work(planned.parent, "batch-0001", quick, None, None, workers=1, pages=True)

    with os.fdopen(os.dup(2), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        for job in jobs.values():
            work_on(Part(job, stages), told.append)

    assert told[:10] == [*stages, *stages]
    assert (jobs["first"].folder / "report.html").exists()
    logs = {name: (planned.parent / "logs" / "slides" / f"{name}.log").read_text() for name in NAMES}
    assert "error: broken.tiff: not a known slide" in logs["broken"]
    assert "error: " in logs["last"]
    assert (jobs["last"].folder / "slide.json").read_text() == "a note of the user"


def test_the_command_goes_through_its_slides_and_leaves_a_mark(planned: Path) -> None:
    done = wsi_scale(*work(planned, "inspect", "--workers", 1))

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("broken: failed (broken.tiff: not a known slide")
    assert (planned.parent / "jobs" / "batch-0001" / "inspect.txt").read_text().split() == list(NAMES)


def test_a_batch_that_is_not_planned_is_told(planned: Path) -> None:
    line = error_line(wsi_scale("work", planned, "batch-0002", "--stages", "inspect"))
    assert "has no batch 'batch-0002'; start the run again" in line


def started(planned: Path, *more: object) -> tuple[subprocess.Popen[str], int]:
    """Start a batch's job; it, and the process that works, once that is at a slide."""
    command = [sys.executable, "-m", "wsi_scale", *map(str, work(planned, "inspect,tile", *more))]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    note = planned.parent / "jobs" / "batch-0001" / "at-work.json"
    deadline = time.monotonic() + 60
    while not note.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return job, json.loads(note.read_text())["process"]


def test_a_process_that_is_killed_costs_one_stage_of_one_slide(planned: Path) -> None:
    job, process = started(planned)
    os.kill(process, signal.SIGKILL)
    _, errors = job.communicate(timeout=120)

    assert job.returncode == 0, errors
    stages = ("inspect", "tile")
    records = {
        (name, stage): read_record(planned.parent / "slides" / name, stage) for name in NAMES for stage in stages
    }
    killed = {place for place, record in records.items() if record and "was killed before" in record.reason}
    assert len({name for name, _ in killed}) == 1
    assert all(record is not None for record in records.values())
    (name,) = {name for name, _ in killed}
    assert {name for (name, _), record in records.items() if record and record.status == "ok"} == {"first", "last"} - {
        name
    }


def test_a_process_that_is_killed_ends_a_job_that_a_scheduler_starts_again(planned: Path) -> None:
    job, process = started(planned, "--may-retry")
    os.kill(process, signal.SIGKILL)
    job.communicate(timeout=120)

    assert job.returncode == 137
    assert not list(planned.parent.glob("slides/*/tile.json"))[3:]
    assert not (planned.parent / "jobs" / "batch-0001" / "inspect_tile.txt").exists()
    assert not any("was killed" in path.read_text() for path in planned.parent.glob("slides/*/*.json"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_who_ends_a_job_ends_its_process_too(planned: Path, number: int, code: int) -> None:
    job, process = started(planned)
    os.kill(job.pid, number)
    _, errors = job.communicate(timeout=60)

    assert job.returncode == code
    assert "Traceback" not in errors
    deadline = time.monotonic() + 10
    while psutil.pid_exists(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(process)
    assert not (planned.parent / "jobs" / "batch-0001" / "inspect_tile.txt").exists()


def test_one_slide_is_one_slide(tmp_path: Path) -> None:
    (tmp_path / "letter.svs").write_text("Dear colleague\n" * 20)
    wsi_scale("run", tmp_path / "letter.svs", "--results", tmp_path / "results")
    assert wsi_scale("status", tmp_path / "results").stdout.startswith("1 slide: 1 failed; 0 tiles\n")
    assert wsi_scale("report", tmp_path / "results").stdout.startswith("1 slide, 1 failed; see ")
    assert wsi_scale("verify", tmp_path / "results").stdout.startswith("1 slide, 0 damaged results; ")


def test_status_tells_what_is_done_what_failed_and_what_waits(planned: Path) -> None:
    results = planned.parent
    before = wsi_scale("status", results)
    assert (before.exit_code, before.stdout) == (0, "3 slides: 3 waiting; 0 tiles\n")

    in_child(*work(planned, "inspect"))
    (results / "jobs" / "batch-0001").mkdir(exist_ok=True)
    note = {"slide_id": "first", "stage": "tile", "since": "2026-11-30T12:00:00+00:00", "host": "node7", "process": 12}
    (results / "jobs" / "batch-0001" / "at-work.json").write_text(json.dumps(note))
    during = wsi_scale("status", results)

    assert during.exit_code == 1
    first, at, failed, log = during.stdout.splitlines()
    assert first == "3 slides: 1 failed, 1 in work, 1 waiting; 0 tiles"
    assert at == "  first: tile since 2026-11-30T12:00:00+00:00 on node7"
    assert failed.startswith("failed: broken.tiff: not a known slide")
    assert log == f"        log: {results / 'logs' / 'slides' / 'broken.log'}"
    told = wsi_scale("status", results, "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["at_work"] == [note]

    after = wsi_scale("status", results, "--again", "snakemake")
    first, *rest = after.stdout.splitlines()
    assert first == "3 slides: 3 failed; 0 tiles"
    assert sum("did not finish (killed, or out of memory?)" in line for line in rest) == 2
    assert rest[-1] == "run again for the failed slides: snakemake"
