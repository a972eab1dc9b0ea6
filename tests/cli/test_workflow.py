"""`wsi-scale workflow` hands its arguments to Snakemake."""

from pathlib import Path

import pytest

from tests.runs import error_line, in_child, wsi_scale


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
