"""A folder of good and bad slides: no bad one stops the others, and each says what is wrong with it."""

import csv
import html
import io
import json
import re
from pathlib import Path

import pytest
import zarr

from tests.workflow.conftest import ODD_BATCH, ODD_ID, ODD_NAME, Run
from wsi_scale.results.scale_map import CHANNELS

GOOD = {"a__same", ODD_ID}
FAILED = {"cut.svs", "cut.tiff", "no-mpp"}
ALL = GOOD | FAILED | {"b__same"}
STAGES = ("inspect", "predict", "tile", "search", "extract")


def rows(run: Run) -> dict[str, dict[str, str]]:
    table = csv.DictReader(io.StringIO(run.files["status.tsv"].decode()), delimiter="\t")
    return {row["slide_id"]: row for row in table}


def test_the_run_ends_with_exit_1_and_what_became_of_the_slides(first: Run) -> None:
    assert first.code == 1
    assert not any(word in first.output for word in ("Traceback", "RuleException", "Error in rule"))
    end = first.output[first.output.index("6 slides: 2 ok, 1 empty, 3 failed") :].splitlines()
    for slide_id in FAILED:
        at = next(number for number, line in enumerate(end) if line.startswith(f"failed: {slide_id}: "))
        assert rows(first)[slide_id]["reason"] in end[at]
        assert end[at + 1].endswith(f"log: {first.results / 'logs' / 'slides' / slide_id}.log")
    assert f"report: {first.results / 'report.html'}" in end
    assert end[-1].startswith("run again for the failed slides: snakemake --cores 2 --config ")


def test_every_slide_has_one_status(first: Run, messy: Path) -> None:
    status = {slide_id: row["status"] for slide_id, row in rows(first).items()}

    assert status == dict.fromkeys(GOOD, "ok") | dict.fromkeys(FAILED, "failed") | {"b__same": "empty"}
    assert rows(first)[ODD_ID]["path"] == str(messy / ODD_NAME)


def test_two_slides_of_one_name_keep_apart(first: Run, messy: Path) -> None:
    assert rows(first)["a__same"]["path"] == str(messy / "a" / "same.tiff")
    assert rows(first)["b__same"]["path"] == str(messy / "b" / "same.tiff")
    assert rows(first)["cut.svs"]["path"] == str(messy / "cut.svs")
    assert rows(first)["cut.tiff"]["path"] == str(messy / "cut.tiff")


@pytest.mark.parametrize(
    ("slide_id", "reason"),
    [
        ("cut.tiff", "cut.tiff: the TIFF's directories point beyond the end of the file; the file is damaged"),
        ("cut.svs", "cut.svs: not a known slide or image format"),
        (
            "no-mpp",
            "the slide has no usable µm per pixel (mpp); give it with --mpp (Python: mpp= of open_slide or run) or in",
        ),
        ("b__same", "no tissue found"),
    ],
)
def test_the_reason_says_what_is_wrong(first: Run, slide_id: str, reason: str) -> None:
    assert reason in rows(first)[slide_id]["reason"]


def test_a_slide_that_fails_for_want_of_an_mpp_is_told_what_it_looks_like(first: Run) -> None:
    prediction = json.loads(first.files["slides/no-mpp/prediction.json"])

    assert prediction["status"] == "ok"
    quoted = f"estimated from its pixels: {prediction['mpp']:.3g} µm/px"
    assert quoted in rows(first)["no-mpp"]["reason"]


def test_slides_that_can_have_a_map_have_one(first: Run) -> None:
    with_map = {name.split("/")[1] for name in first.files if "/scale.ome.zarr/" in name}
    with_features = {name.split("/")[1] for name in first.files if "/features.zarr/" in name}

    assert with_map == with_features == GOOD
    for slide_id in GOOD:
        image = zarr.open_group(first.results / "slides" / slide_id / "scale.ome.zarr", mode="r")["0"]
        assert image.shape[0] == len(CHANNELS)


def test_records_tell_of_every_stage_without_times_or_places(first: Run) -> None:
    for slide_id in ALL:
        for stage in STAGES:
            record = json.loads(first.files[f"slides/{slide_id}/{stage}.json"])
            assert set(record) == {"stage", "status", "reason", "fingerprint", "files", "after", "version", "digest"}
            assert record["stage"] == stage
            assert str(first.results.parent) not in record["reason"]
            assert "messy slides" not in record["reason"]


def test_the_report_names_every_slide_and_every_reason(first: Run) -> None:
    page = html.unescape((first.results / "report.html").read_text(encoding="utf-8"))

    for slide_id, row in rows(first).items():
        assert slide_id in page
        assert row["reason"] in page


def test_a_name_in_the_report_is_never_read_as_html(first: Run) -> None:
    page = (first.results / "report.html").read_text(encoding="utf-8")

    assert "{x} <b>" not in page
    assert "{x} &lt;b&gt;" in page


def test_every_slide_leaves_one_log_for_all_its_jobs(first: Run) -> None:
    logs = {name.removeprefix("logs/").removesuffix(".log") for name in first.files if name.startswith("logs/")}
    of_jobs = {name for name in logs if name.startswith("jobs/")}
    assert logs - of_jobs == {f"slides/{slide_id}" for slide_id in ALL} | {"calibrate", "fit", "report"}
    assert not any(first.files[f"logs/{name}.log"] for name in of_jobs)
    said = first.files["logs/slides/cut.tiff.log"].decode()
    assert set(re.findall(r"^\[(\w+)\]$", said, re.MULTILINE)) == set(STAGES)
    assert "the TIFF's directories point beyond the end" in said


@pytest.mark.parametrize("option", ["--dry-run", "--lint", "--unlock", "--summary"])
def test_looking_at_a_run_changes_nothing(first: Run, looked: dict[str, Run], option: str) -> None:
    assert looked[option].code == 0
    assert looked[option].files == first.files
    assert looked[option].stamps == first.stamps


def test_a_rerun_takes_up_only_what_failed(again: Run) -> None:
    every = {"inspect", "tile", "predict_search_extract"}

    assert again.code == 1
    for slide_id in ("cut.svs", "cut.tiff"):
        assert again.jobs[slide_id] == every
    assert again.jobs["no-mpp"] == every - {"inspect"}
    # The regressor stands after every inspection, so that each slide is asked whether it still holds.
    for batch in ("a__same", ODD_BATCH, "b__same"):
        assert again.jobs.get(batch, set()) <= {"predict_search_extract"}
    assert again.jobs[""] <= {"fit", "report"}


def test_a_rerun_rewrites_nothing_but_records(first: Run, again: Run) -> None:
    def of_good_slides(run: Run) -> dict[str, tuple[int, int]]:
        records = tuple(f"{stage}.json" for stage in STAGES)
        return {
            name: stamp
            for name, stamp in run.stamps.items()
            if name.startswith("slides/")
            and name.split("/")[1] not in FAILED
            and name.split("/")[-1] not in records
            and not name.endswith((".wsi-scale.lock", "runs.json"))
        }

    assert len(of_good_slides(first)) > 40
    assert of_good_slides(again) == of_good_slides(first)
    assert again.stamps["slides/no-mpp/prediction.json"] == first.stamps["slides/no-mpp/prediction.json"]


def test_a_rerun_leaves_the_same_bytes(first: Run, again: Run) -> None:
    def timeless(run: Run) -> dict[str, bytes]:
        return {name: data for name, data in run.files.items() if not name.startswith("logs/")}

    assert timeless(again) == timeless(first)
