"""`wsi-scale workflow` hands its arguments to Snakemake."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs import MPP, draw, error_line, in_child, wsi_scale
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


def test_an_interrupted_workflow_ends_its_jobs_and_says_what_became_of_the_slides(tmp_path: Path) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    for number in range(3):
        write_pyramid(slides / f"s{number}.tiff", draw(3.0, 1200, 1000), MPP)
    command = [sys.executable, "-m", "wsi_scale", "workflow", "--cores", "1", "--config", f"slides={slides}"]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    begun = tmp_path / "results" / "slides"
    for _ in range(600):
        if begun.exists() and any(begun.iterdir()):
            break
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=120)

    assert running.returncode == 1
    assert "3 slides: " in said
    assert (tmp_path / "results" / "status.tsv").exists()
