"""Commands about many slides."""

import csv
import html
import re
import shutil
from pathlib import Path

import pytest

from tests.runs import error_line, rename_slide, wsi_scale
from wsi_scale.artifacts.runs import read_runs
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.slides.sheet import slides_of


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize("below", ["slides", ""])
def test_a_report_sums_up_a_folder_of_single_runs(
    small_slide: Path, finished: Path, tmp_path: Path, below: str
) -> None:
    results = tmp_path / "array"
    shutil.copytree(finished, results / below / "small")
    text = tmp_path / "letter & more.svs"
    text.write_text("Dear colleague\n" * 20)
    wsi_scale("run", text, "-o", results / below / "letter", "--slide-id", "letter (1)")

    result = wsi_scale("report", results)

    assert result.exit_code == 1, result.output
    assert result.stdout == f"2 slides, 1 failed; see {results / 'report.html'}\n"
    status = {row["slide_id"]: row for row in rows(results / "status.tsv")}
    assert {name: row["status"] for name, row in status.items()} == {"small": "ok", "letter (1)": "failed"}
    assert status["small"]["path"] == str(small_slide)
    audit = {row["slide_id"]: row for row in rows(results / "audit.tsv")}
    assert (audit["letter (1)"]["flag"], audit["letter (1)"]["reason"]) == (
        "unreadable",
        status["letter (1)"]["reason"],
    )
    assert audit.keys() == status.keys()
    page = html.unescape((results / "report.html").read_text(encoding="utf-8"))
    assert "letter (1)" in page
    assert status["letter (1)"]["reason"] in page
    # How long it took is known of the slide that was computed, and of the report itself.
    how = page.split('id="provenance"')[1]
    assert re.findall(r'<tr><th scope="row">(\w+)</th><td>1</td>', how) == [*SLIDE_STAGES]
    assert "tiles/s" in how
    (run,) = read_runs(results)
    assert [(stage.stage, stage.slide_id, stage.work) for stage in run.stages] == [("report", "", {"slides": 2})]


def test_two_runs_of_one_slide_are_told_apart_and_make_no_report(finished: Path, tmp_path: Path) -> None:
    for name in ("first", "own-mpp"):
        shutil.copytree(finished, tmp_path / "results" / name)
        (tmp_path / "results" / name / "tiles.parquet").write_bytes(b"damaged")

    line = error_line(wsi_scale("report", tmp_path / "results"))
    verified = wsi_scale("verify", tmp_path / "results")
    status = wsi_scale("status", tmp_path / "results")

    assert f"{tmp_path / 'results' / 'own-mpp'} both hold results of a slide 'small'" in line
    assert not (tmp_path / "results" / "slides.tsv").exists()
    for name in ("small (first)", "small (own-mpp)"):
        assert f"{name}: tile: " in verified.stdout
        assert f"failed: {name}: tile did not finish" in status.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tile.json", "tile.json is damaged"),
        ("slide.json", "slide.json"),
        ("prediction.json", "prediction.json"),
        ("scale.ome.zarr/zarr.json", "scale.ome.zarr"),
        ("thumbnail.jpg", "thumbnail.jpg"),
        ("overlay.png", "overlay.png"),
    ],
)
def test_one_damaged_slide_does_not_stop_the_report_of_the_others(
    finished: Path, tmp_path: Path, name: str, said: str
) -> None:
    for folder in ("good", "bad"):
        shutil.copytree(finished, tmp_path / "slides" / folder)
    rename_slide(tmp_path / "slides" / "bad", "bad")
    (tmp_path / "slides" / "bad" / name).write_text("[this is something else]")

    result = wsi_scale("report", tmp_path)

    assert result.exit_code == 1, result.output
    assert wsi_scale("report", tmp_path, "--record-only").exit_code == 0
    status = {row["slide_id"]: row for row in rows(tmp_path / "status.tsv")}
    assert set(status) == {"small", "bad"}
    assert status["small"]["status"] == "ok"
    assert status["bad"]["status"] == "failed"
    assert said in status["bad"]["reason"]
    audit = {row["slide_id"]: row for row in rows(tmp_path / "audit.tsv")}
    assert audit.keys() == status.keys()
    assert (audit["bad"]["flag"] == "unreadable") is (name in ("slide.json", "prediction.json"))
    assert "bad" in (tmp_path / "report.html").read_text()


def test_a_sheet_to_start_from_reads_back_as_the_folder(small_slide: Path, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    (folder / "b").mkdir(parents=True)
    for name in ("a 'x', \"y\".tiff", "b/a.tiff"):
        shutil.copy(small_slide, folder / name)

    result = wsi_scale("sheet", folder, "-o", folder / "sheet.tsv")

    assert result.exit_code == 0, result.output
    assert "with 2 slides" in result.stdout
    assert slides_of(folder / "sheet.tsv") == slides_of(folder)
    assert rows(folder / "sheet.tsv")[1] == {"slide_id": "b__a", "path": "b/a.tiff", "mpp": "", "group": ""}


def test_fit_works_on_what_single_stages_left(small_slide: Path, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    shutil.copy(small_slide, folder)
    shutil.copytree(finished, tmp_path / "results" / "slides" / "small")

    fitted = wsi_scale("fit", folder, "-o", tmp_path / "results")

    assert fitted.exit_code == 0, fitted.output
    assert fitted.stdout == f"regressor: {tmp_path / 'results' / 'regressor.safetensors'}\n"
