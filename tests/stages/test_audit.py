"""Stage `audit`: headers held against looks."""

import csv
import json
from pathlib import Path

import pytest

from tests.runs import job
from wsi_scale.artifacts.prediction import Prediction, write_prediction
from wsi_scale.stages.audit import audit, audit_slide
from wsi_scale.stages.inspect import inspect

Estimate = tuple[float, float, float] | None


def looked_at(slide: Path, folder: Path, mpp: float | None, estimate: Estimate, mixed: str = "") -> Path:
    """Leave what `inspect` and `predict` leave."""
    inspect(job(slide, folder, mpp))
    values = estimate or (None, None, None)
    status = "ok" if estimate else "abstained"
    reason = "" if estimate else "no tissue to look at"
    write_prediction(folder, Prediction(str(slide), *values, status, reason, 9, {}, mixed, "f"))
    return folder


@pytest.mark.parametrize(
    ("mpp", "estimate", "flag"),
    [
        (None, (0.48, 0.36, 0.64), "none"),
        (None, (0.25, 0.19, 0.33), "off_2x"),
        (None, (1.0, 0.75, 1.3), "off_2x"),
        (5.0, (0.25, 0.19, 0.33), "off_10x"),
        (None, (0.36, 0.30, 0.43), "none"),
        (None, (0.25, 0.1, 0.6), "none"),
        (None, None, "none"),
    ],
)
def test_a_header_is_flagged_when_the_pixels_look_otherwise(
    small_slide: Path, tmp_path: Path, mpp: float | None, estimate: Estimate, flag: str
) -> None:
    row = audit_slide(looked_at(small_slide, tmp_path, mpp, estimate))

    assert row is not None
    assert (row.flag, row.claimed_mpp) == (flag, mpp or 0.5)
    assert row.reason.startswith(f"header says {mpp or 0.5:g} µm/px")
    assert estimate is None or f"{estimate[0]:.3g} µm/px" in row.reason


def test_where_the_estimator_abstains_the_reason_is_told(small_slide: Path, tmp_path: Path) -> None:
    row = audit_slide(looked_at(small_slide, tmp_path, None, None))

    assert row is not None
    assert (row.flag, row.mpp, row.mpp_low) == ("none", None, None)
    assert row.reason == "header says 0.5 µm/px; no estimate to hold against it (no tissue to look at)"


def test_a_slide_that_was_not_predicted_is_not_flagged_for_it(small_slide: Path, tmp_path: Path) -> None:
    inspect(job(small_slide, tmp_path))

    row = audit_slide(tmp_path)

    assert row is not None
    assert (row.flag, row.reason) == ("none", "header says 0.5 µm/px; no estimate to hold against it")


@pytest.mark.parametrize("estimate", [(0.5, 0.4, 0.6), None])
def test_halves_that_differ_are_flagged(small_slide: Path, tmp_path: Path, estimate: Estimate) -> None:
    words = "its left half looks like 0.25 µm/px and its right half looks like 0.5 µm/px"
    row = audit_slide(looked_at(small_slide, tmp_path, None, estimate, words))

    assert row is not None
    assert (row.flag, row.reason) == ("mixed", f"header says 0.5 µm/px, but {words}")


def test_a_missing_and_an_absurd_header_are_flagged_with_the_estimate(small_slide: Path, tmp_path: Path) -> None:
    folder = looked_at(small_slide, tmp_path, None, (0.5, 0.4, 0.62))
    told = json.loads((folder / "slide.json").read_text())

    for value, flag in ((None, "missing"), (352.0, "implausible")):
        told |= {"mpp": value, "mpp_x": value, "mpp_y": value}
        (folder / "slide.json").write_text(json.dumps(told))
        row = audit_slide(folder)
        assert row is not None
        assert row.flag == flag
        assert "pixels look like 0.5 µm/px (0.4–0.62)" in row.reason


def test_the_table_has_one_row_for_each_readable_slide(small_slide: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.svs"
    text.write_text("nothing\n" * 9)
    jobs = [job(small_slide, tmp_path / "small"), job(text, tmp_path / "text")]
    looked_at(small_slide, jobs[0].folder, None, (0.25, 0.2, 0.31))
    inspect(jobs[1])

    audit(jobs, tmp_path)

    with (tmp_path / "audit.tsv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream, delimiter="\t")
    assert (row["slide_id"], row["flag"], row["mpp_source"]) == ("small", "off_2x", "metadata")
