"""`wsi-scale workflow` hands its arguments to Snakemake."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs import MPP, draw, error_line, in_child, wsi_scale
from tests.workflow.conftest import REPOSITORY
from wsi_scale.synthesis import write_pyramid


def test_all_arguments_go_to_snakemake_and_the_folder_is_the_users(tmp_path: Path, small_slide: Path) -> None:
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "a.tiff").symlink_to(small_slide)

    done = in_child("workflow", "--dry-run", "--config", "slides=slides", "results=out", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "predict_search_extract" in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_configuration_is_one_line(tmp_path: Path) -> None:
    line = error_line(in_child("workflow", "--config", "slides=none", cwd=tmp_path))
    assert "none: there is no such file or folder" in line


@pytest.mark.parametrize("option", ["--sdm", "--use-conda"])
def test_environments_of_the_repository_are_refused(option: str) -> None:
    assert f"{option} needs a clone of the repository" in error_line(wsi_scale("workflow", option, "conda"))


def test_snakemakes_exit_code_is_the_commands() -> None:
    assert wsi_scale("workflow", "--version").exit_code == 0
    assert wsi_scale("workflow", "--no-such-option").exit_code == 2


@pytest.mark.parametrize("directly", [False, True])
def test_a_stopped_run_has_no_failed_slides_and_says_how_it_goes_on(tmp_path: Path, directly: bool) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    for number in range(3):
        write_pyramid(slides / f"s{number}.tiff", draw(3.0, 1200, 1000), MPP)
    program = ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile")] if directly else ["wsi_scale", "workflow"]
    options = ["--cores", "1", "--config", f"slides={slides}"]
    running = subprocess.Popen(
        [sys.executable, "-m", *program, *options],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    begun = tmp_path / "results" / "slides"
    for _ in range(600):
        if begun.exists() and any(begun.iterdir()):
            break
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=120)

    command = shlex.join([*(program if directly else ["wsi-scale", "workflow"]), *options])
    last = f"stopped; give the same command again to go on: {command}"
    if directly:
        assert running.returncode == 1
        assert f"3 slides: 3 waiting; 0 tiles\n{last}\n" in said
    else:
        assert running.returncode == 130
        assert said.splitlines()[-1] == last
        assert not {"Error", "exit status", "Terminating"} & set(said.replace("\n", " ").split(" "))
        assert "exit status 130" in (tmp_path / "results" / "logs" / "stopped.log").read_text()
    assert "failed or did not finish" not in said
    assert not (tmp_path / "results" / "status.tsv").exists()
    assert wsi_scale("status", tmp_path / "results").stdout == "3 slides: 3 waiting; 0 tiles\n"
