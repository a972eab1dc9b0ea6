"""Stage `audit`: headers compared with pixels."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import job, recorded
from wsi_scale.artifacts.prediction import write_prediction
from wsi_scale.artifacts.record import Record, write_record
from wsi_scale.jobs.audit import audit, audit_slide
from wsi_scale.jobs.job import SlideJob
from wsi_scale.results.audit import FLAGS, count_flags, unreadable_row
from wsi_scale.results.prediction import Prediction
from wsi_scale.stages.inspect import inspect

Estimate = tuple[float, float, float] | None


def looked_at(slide: Path, folder: Path, mpp: float | None, estimate: Estimate, mixed: str = "") -> SlideJob:
    """Leave what `inspect` and `predict` leave."""
    this = job(slide, folder, mpp)
    inspect(this)
    values = estimate or (None, None, None)
    status = "ok" if estimate else "abstained"
    reason = "" if estimate else "no tissue found"
    write_prediction(folder, Prediction(*values, status, reason, 9, {}, mixed))
    recorded(folder, "predict")
    return this


@pytest.mark.parametrize(
    ("mpp", "estimate", "flag"),
    [
        (None, (0.48, 0.36, 0.64), "agrees"),
        (None, (0.25, 0.19, 0.33), "off_2x"),
        (None, (1.0, 0.75, 1.3), "off_2x"),
        (5.0, (0.25, 0.19, 0.33), "off_10x"),
        (None, (0.36, 0.30, 0.43), "agrees"),
        (None, (0.25, 0.1, 0.6), "agrees"),
        (None, None, "no_estimate"),
    ],
)
def test_a_header_is_flagged_when_the_pixels_look_otherwise(
    small_slide: Path, tmp_path: Path, mpp: float | None, estimate: Estimate, flag: str
) -> None:
    row = audit_slide(looked_at(small_slide, tmp_path, mpp, estimate))

    assert (row.flag, row.claimed_mpp) == (flag, mpp or 0.5)
    assert row.reason.startswith(f"you gave {mpp:g} µm/px (the header says 0.5)" if mpp else "header says 0.5 µm/px")
    assert estimate is None or f"{estimate[0]:.3g} µm/px" in row.reason


def test_where_the_estimator_abstains_the_reason_is_told(small_slide: Path, tmp_path: Path) -> None:
    row = audit_slide(looked_at(small_slide, tmp_path, None, None))

    assert (row.flag, row.mpp, row.mpp_low) == ("no_estimate", None, None)
    assert row.reason == "header says 0.5 µm/px; no estimate to compare with (no tissue found)"


def test_a_slide_that_was_not_predicted_is_not_flagged_for_it(small_slide: Path, tmp_path: Path) -> None:
    this = job(small_slide, tmp_path)
    inspect(this)

    row = audit_slide(this)

    assert (row.flag, row.reason) == ("no_estimate", "header says 0.5 µm/px; no estimate to compare with")


def test_what_an_earlier_prediction_left_is_no_look_where_the_last_one_failed(
    small_slide: Path, tmp_path: Path
) -> None:
    this = looked_at(small_slide, tmp_path, None, (0.25, 0.19, 0.33))
    write_record(tmp_path, Record("predict", "failed", "the slide cannot be decoded at x=0 y=0", ""))

    row = audit_slide(this)

    assert (row.flag, row.mpp) == ("no_estimate", None)
    assert row.reason.endswith("no estimate to compare with (the slide cannot be decoded at x=0 y=0)")


@pytest.mark.parametrize("estimate", [(0.5, 0.4, 0.6), None])
def test_halves_that_differ_are_flagged(small_slide: Path, tmp_path: Path, estimate: Estimate) -> None:
    words = "its left half is estimated at 0.25 µm/px and its right half is estimated at 0.5 µm/px"
    row = audit_slide(looked_at(small_slide, tmp_path, None, estimate, words))

    assert (row.flag, row.reason) == ("mixed", f"header says 0.5 µm/px, but {words}")


def test_a_missing_and_an_absurd_header_are_flagged_with_the_estimate(small_slide: Path, tmp_path: Path) -> None:
    this = looked_at(small_slide, tmp_path, None, (0.5, 0.4, 0.62))
    told = json.loads((this.folder / "slide.json").read_text())

    for value, flag in ((None, "missing"), (352.0, "implausible")):
        told |= {"mpp": value, "mpp_x": value, "mpp_y": value, "header_mpp": value}
        (this.folder / "slide.json").write_text(json.dumps(told))
        for stage in ("inspect", "predict"):
            recorded(this.folder, stage)
        row = audit_slide(this)
        assert row.flag == flag
        assert "estimated from pixels: 0.5 µm/px (0.4–0.62)" in row.reason


def test_the_table_has_one_row_for_each_slide_and_says_who_said_what(small_slide: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.svs"
    text.write_text("nothing\n" * 9)
    folders = {name: tmp_path / name for name in ("small", "given", "text", "never", "damaged")}
    jobs = [job(text if name == "text" else small_slide, folder) for name, folder in folders.items()]
    looked_at(small_slide, folders["small"], None, (0.25, 0.2, 0.31))
    looked_at(small_slide, folders["given"], 0.25, (0.25, 0.2, 0.31))
    inspect(jobs[2])
    inspect(jobs[4])
    (folders["damaged"] / "slide.json").write_text("{")

    rows = audit(jobs, tmp_path)

    with (tmp_path / "audit.tsv").open(encoding="utf-8", newline="") as stream:
        small, given, *others = csv.DictReader(stream, delimiter="\t")
    assert (small["slide_id"], small["flag"], small["mpp_source"]) == ("small", "off_2x", "tiff")
    assert (given["flag"], given["claimed_mpp"], given["mpp_source"]) == ("agrees", "0.25", "override")
    assert (given["header_mpp"], given["header_source"]) == ("0.5", "tiff")
    assert given["reason"].startswith("you gave 0.25 µm/px (the header says 0.5); estimated from pixels:")
    assert {row["flag"] for row in others} == {"unreadable"}
    assert "not a known slide or image format" in others[0]["reason"]
    assert others[1]["reason"] == "inspect did not finish (killed, or out of memory?); run again"
    assert "slide.json" in others[2]["reason"]
    assert count_flags(rows) == {"off_2x": 1, "unreadable": 3, "agrees": 1}


def test_an_audit_in_which_nothing_is_flagged_counts_what_it_could_not_tell() -> None:
    rows = [replace(unreadable_row(flag, "/p", "because"), flag=flag) for flag in FLAGS]

    flagged = ["off_10x", "off_2x", "off_together", "mixed", "implausible", "missing"]
    assert [row.flag for row in rows if row.flagged] == flagged
    assert sum(count_flags([*rows, rows[0]]).values()) == len(FLAGS) + 1
    assert list(count_flags(rows)) == list(FLAGS)
    assert count_flags([]) == {}


def test_slides_of_one_scanner_are_judged_together(small_slide: Path, tmp_path: Path) -> None:
    jobs = []
    for number, octaves in enumerate((-0.3, -0.25, -0.35, -0.3, -0.2, 0.65)):
        mpp = 0.5 * 2**octaves
        jobs.append(looked_at(small_slide, tmp_path / str(number), None, (mpp, mpp * 0.6, mpp * 1.6)))
    alone = [audit_slide(job).flag for job in jobs]

    flags = [row.flag for row in audit(jobs, tmp_path)]

    assert alone == ["agrees"] * 6
    assert flags == ["agrees"] * 5 + ["off_2x"]
    with (tmp_path / "audit.tsv").open(encoding="utf-8") as stream:
        assert [row["flag"] for row in csv.DictReader(stream, delimiter="\t")] == flags
