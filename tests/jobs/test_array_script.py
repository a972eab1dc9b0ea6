"""Job arrays of a cohort: the scripts run here as each scheduler would run them."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.runs import MPP, draw, wsi_scale
from wsi_scale.artifacts.status import read_status
from wsi_scale.synthesis import write_pyramid

#: What each scheduler's stand-in prints for a job that it took, and the variable of its arrays.
SCHEDULERS = {
    "slurm": ("sbatch", "{id};cluster", "SLURM_ARRAY_TASK_ID"),
    "pbs": ("qsub", "{id}.server", "PBS_ARRAY_INDEX"),
    "lsf": ("bsub", "Job <{id}> is submitted to queue <normal>.", "LSB_JOBINDEX"),
}
QUICK = ("--set", "magnification.tiles_per_slide=8", "--set", "features.mpps=[1.0]", "--set", "calibration.scenes=16")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides of 'ours'"
    folder.mkdir()
    write_pyramid(folder / "small.tiff", draw(3.0, 300, 300), MPP)
    (folder / "broken.tiff").write_text("no slide\n" * 50)
    return folder


def written(slides: Path, scheduler: str, *options: str) -> Path:
    results = slides.parent / "results"
    done = wsi_scale("batch", slides, "--results", results, "--scheduler", scheduler, *QUICK, *options)
    assert done.exit_code == 0, done.output
    path = results / "jobs" / "array" / "submit.sh"
    assert done.stdout == f"2 slides in 2 batches; submit them with: bash {path}\n"
    return path


def submitted(script: Path, scheduler: str) -> list[str]:
    """Submit to a stand-in that prints a job's id as the scheduler does; the lines that it was given."""
    name, answer, _ = SCHEDULERS[scheduler]
    folder = script.parents[3] / "bin"
    folder.mkdir()
    log = folder / "log"
    (folder / name).write_text(
        f'#!/bin/bash\necho "$WSI_SCALE_STEP $*" >> {shlex.quote(str(log))}\n'
        f'id=$((700100 + $(wc -l < {shlex.quote(str(log))})))\necho "{answer}"\n'.replace("{id}", "$id")
    )
    (folder / name).chmod(0o755)
    subprocess.run(["bash", script], check=True, env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"})
    return log.read_text().splitlines()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_each_job_waits_for_those_whose_results_it_reads_and_the_report_for_all(slides: Path, scheduler: str) -> None:
    lines = submitted(written(slides, scheduler, "--gpu", "--options", "-q long"), scheduler)

    assert len(lines) == 5
    steps = ["inspect", "cohort", "tile", "predict-search-extract", "report"]
    assert [next(step for step in reversed(steps) if step in line.split(" /")[0]) for line in lines] == steps
    ids = [set(re.findall(r"\b70010[0-9]\b", line)) for line in lines]
    assert ids == [{f"70010{number}" for number in after} for after in ([], [1], [1, 2], [2, 3], [2, 4])]
    assert ["1-2" in line for line in lines] == [True, False, True, True, False]
    assert [bool(re.search(r"gpu", line)) for line in lines] == [False, True, False, True, False]
    assert all("-q long" in line for line in lines)
    assert not any(";cluster" in line for line in lines)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_body_runs_a_batch_by_the_variable_of_each_scheduler(slides: Path, scheduler: str) -> None:
    script = written(slides, scheduler)
    results = script.parents[2]

    def run(step: str, task: int = 0) -> int:
        variable = {SCHEDULERS[scheduler][2]: str(task)} if task else {}
        environment = os.environ | {"WSI_SCALE_STEP": step} | variable
        return subprocess.run(["bash", script.parent / "job.sh"], env=environment, check=False).returncode

    assert [run("inspect", task) for task in (1, 2)] == [0, 0]
    assert (results / "slides" / "small" / "slide.json").exists()
    assert "not a known slide" in (results / "slides" / "broken" / "inspect.json").read_text()
    assert run("no step") == 2
    if scheduler == "slurm":  # once through to the end
        assert [run("cohort"), run("tile", 1), run("tile", 2)] == [0, 0, 0]
        assert [run("predict-search-extract", task) for task in (1, 2)] == [0, 0]
        assert run("report") == 1
        assert {row.slide_id: row.status for row in read_status(results / "status.tsv")} == {
            "broken": "failed", "small": "ok",
        }  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_more_batches_than_an_array_may_have_are_several_arrays(
    slides: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsi_scale.jobs.array_script.MOST_TASKS", 1)
    script = written(slides, scheduler)
    lines = submitted(script, scheduler)

    assert len(lines) == 8
    assert lines[0].count("70010") == lines[1].count("70010") == 0
    assert {"700101", "700102"} <= set(re.findall(r"\b70010[0-9]\b", lines[2]))
    assert {"700104", "700105"} <= set(re.findall(r"\b70010[0-9]\b", lines[5]))

    environment = os.environ | {"WSI_SCALE_STEP": "inspect", "WSI_SCALE_FIRST": "1"}
    subprocess.run(["bash", script.parent / "job.sh"], env=environment, check=True)
    assert [folder.name for folder in (script.parents[2] / "slides").iterdir()] == ["small"]


def test_options_whose_quotation_does_not_end_are_refused(slides: Path) -> None:
    result = wsi_scale("batch", slides, "--results", slides.parent / "r", "--options", "--account='a b")
    assert result.exit_code == 1
    assert "no closing quotation" in result.stderr
