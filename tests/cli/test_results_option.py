"""`--results` puts a slide where the workflow would."""

import shutil
from pathlib import Path

import pytest

from tests.planted import write_planted
from tests.runs import configured, draw, error_line, wsi_scale
from wsi_scale.config.load import parse_config
from wsi_scale.jobs.study import Study
from wsi_scale.synthesis import write_pyramid

QUICK = ("tiling.tile_px=128", "search.method=published", "features.mpps=[1.0]")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two slides of one name."""
    for folder, radius in (("a", 3.0), ("b", 4.0)):
        (tmp_path / "study" / folder).mkdir(parents=True)
        write_pyramid(tmp_path / "study" / folder / "slide.tiff", draw(radius, 300, 300), 0.5)
    return tmp_path / "study"


def run(tmp_path: Path, slide: Path, *options: object) -> object:
    regressor = write_planted(tmp_path, 0.5)
    settings = [part for value in QUICK for part in ("--set", value)]
    return wsi_scale(
        "run", slide, "--regressor", regressor, "--set", f"network={tmp_path}/planted.safetensors", *settings, *options
    )


def test_slides_of_one_name_get_the_folders_of_the_workflow(study: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for folder in ("a", "b"):
        done = run(tmp_path, study / folder / "slide.tiff", "--results", results, "--slides", study)
        assert done.exit_code == 0, done.output
    workflow = Study(parse_config({"slides": {"path": str(study)}, "results": str(results)}))
    workflow.find_slides(make_demo=False)
    assert sorted(path.name for path in (results / "slides").iterdir()) == sorted(workflow.rows)
    assert wsi_scale("report", results).exit_code == 0
    assert (results / "execution.json").exists()


def test_a_sheet_gives_mpp_and_group(study: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "slides.tsv"
    sheet.write_text(f"slide_id\tpath\tmpp\tgroup\nmine\t{study}/a/slide.tiff\t0.25\tpatient\n")
    done = run(tmp_path, study / "a" / "slide.tiff", "--results", tmp_path / "results", "--slides", sheet)
    assert done.exit_code == 0, done.output
    assert '"mpp": 0.25' in (tmp_path / "results" / "slides" / "mine" / "slide.json").read_text()


def test_without_the_study_two_slides_of_one_name_are_told_apart(study: Path, tmp_path: Path) -> None:
    assert run(tmp_path, study / "a" / "slide.tiff", "--results", tmp_path / "r").exit_code == 0
    line = error_line(run(tmp_path, study / "b" / "slide.tiff", "--results", tmp_path / "r"))
    assert "holds results of another slide named slide" in line


def test_a_slide_that_is_none_of_the_study_is_told(study: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(study / "a" / "slide.tiff", tmp_path / "other.tiff"))
    line = error_line(run(tmp_path, other, "--results", tmp_path / "r", "--slides", study))
    assert f"{other} is not a slide of {study}" in line


@pytest.mark.parametrize("options", [(), ("-o", "out", "--results", "r")])
def test_one_of_output_and_results_must_be_given(study: Path, options: tuple[str, ...]) -> None:
    for command in ("run", "predict", "tile", "search", "extract"):
        result = wsi_scale(command, study / "a" / "slide.tiff", *options)
        assert result.exit_code == 2
        assert "give one of --output FOLDER or --results RESULTS" in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("name", ["a/b", "", ".hidden", "a<b", "tab\tbed"])
def test_an_id_that_no_sheet_could_give_is_refused(study: Path, tmp_path: Path, name: str) -> None:
    line = error_line(wsi_scale("inspect", study / "a" / "slide.tiff", "--results", tmp_path / "r", "--slide-id", name))
    assert line.startswith("error: slide_id ")
    assert not (tmp_path / "r").exists()


def test_settings_of_a_stage_reach_it_by_single_keys(study: Path) -> None:
    told = Study(parse_config({"slides": {"path": str(study)}, "results": "r"})).settings("tile")
    assert configured(*(setting.removeprefix("--set=") for setting in told)).tiling.mpp == 0.5
