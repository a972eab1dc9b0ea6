"""What became of a slide, in the numbers of its artefacts."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs import job, recorded
from wsi_scale.artifacts.prediction import write_prediction
from wsi_scale.artifacts.record import Record, read_record, write_record
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.jobs.summary import summary_of
from wsi_scale.results.prediction import DARK_BACKGROUND, Prediction
from wsi_scale.results.summary import Quartiles
from wsi_scale.stages.inspect import inspect


def again(folder: Path, stage: str) -> None:
    """Record a stage's files as they are by now, under the fingerprint that it had."""
    before = read_record(folder, stage)
    assert before is not None
    recorded(folder, stage, print_=before.fingerprint)


def test_it_gives_the_numbers_of_the_map_and_of_the_audit(small_slide: Path, finished: Path) -> None:
    summary = summary_of(job(small_slide, finished))

    scale_map, _ = read_scale_map(finished)
    answers = scale_map.optimal_mpp[np.isfinite(scale_map.optimal_mpp)]
    radii = scale_map.dominant_radius_um[np.isfinite(scale_map.dominant_radius_um)]
    prediction = json.loads((finished / "prediction.json").read_text())
    assert (summary.slide_id, summary.status, summary.reason) == ("small", "ok", "")
    assert (summary.tiles, summary.answered) == (20, len(answers))
    assert summary.optimal_mpp == Quartiles(*(float(v) for v in np.percentile(answers, (25, 50, 75))))
    assert summary.dominant_radius_um == Quartiles(*(float(v) for v in np.percentile(radii, (25, 50, 75))))
    assert summary.verdict.estimate == (prediction["mpp"], prediction["mpp_low"], prediction["mpp_high"])
    assert (summary.verdict.header_mpp, summary.verdict.header_source) == (0.5, "tiff")
    assert summary.verdict.flag == "mixed"  # its halves differ by a factor of two
    assert summary.warnings == ()


def test_a_slide_that_is_no_brightfield_tissue_has_no_median(small_slide: Path, finished_copy: Path) -> None:
    dark = Prediction(None, None, None, "abstained", DARK_BACKGROUND, 0, {}, "")
    write_prediction(finished_copy, dark)
    again(finished_copy, "predict")

    summary = summary_of(job(small_slide, finished_copy))

    assert (summary.tiles, summary.optimal_mpp, summary.dominant_radius_um) == (20, None, None)
    assert summary.answered


def test_a_slide_that_failed_has_what_counts_of_it_and_its_warnings(small_slide: Path, tmp_path: Path) -> None:
    this = job(small_slide, tmp_path, mpp=0.25)
    inspect(this)
    write_record(tmp_path, Record("predict", "failed", "no such regressor", ""))

    summary = summary_of(this)

    assert (summary.status, summary.reason) == ("failed", "no such regressor")
    assert (summary.tiles, summary.answered, summary.optimal_mpp) == (None, None, None)
    assert "differs from 0.5" in summary.warnings[0]
    assert summary.verdict.claimed_mpp == 0.25


@pytest.mark.parametrize("damaged", ["scale.ome.zarr/0/c/0/0/0", "tiles.parquet"])
def test_a_result_that_cannot_be_read_makes_the_slide_failed(
    small_slide: Path, finished_copy: Path, damaged: str
) -> None:
    content = (finished_copy / damaged).read_bytes()
    (finished_copy / damaged).write_bytes(content[:-9] + bytes(9))

    summary = summary_of(job(small_slide, finished_copy))

    assert summary.status == "failed"
    assert damaged.split("/")[0] in summary.reason
    assert summary.optimal_mpp is None


def test_an_empty_slide_has_no_tiles_and_a_reason(small_slide: Path, finished_copy: Path) -> None:
    for stage in ("tile", "search", "extract"):
        before = read_record(finished_copy, stage)
        assert before is not None
        files = before.files if stage == "tile" else {}
        write_record(finished_copy, Record(stage, "empty", "no tissue", before.fingerprint, files, before.after))

    summary = summary_of(job(small_slide, finished_copy))

    assert (summary.status, summary.reason, summary.answered, summary.optimal_mpp) == ("empty", "no tissue", 0, None)
