"""A slide that failed without an mpp is told with the estimate from its pixels, if that is of its last run."""

from pathlib import Path

import pytest
from PIL import Image

from tests.runs import draw, job, recorded
from wsi_scale.artifacts.prediction import NAME, write_prediction
from wsi_scale.artifacts.record import Record, write_record
from wsi_scale.jobs.status import status_of
from wsi_scale.results.prediction import Prediction
from wsi_scale.stages.inspect import inspect

TILE_FAILED = "the slide has no usable µm per pixel"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run leaves of a slide without an mpp: an estimate from its pixels, and no tiles."""
    slide, place = tmp_path / "field.png", tmp_path / "out"
    Image.fromarray(draw(3.0, 300, 300)).save(slide)
    inspect(job(slide, place))
    write_prediction(place, Prediction(0.5, 0.4, 0.62, "ok", "", 9, {}, ""))
    recorded(place, "predict")
    recorded(place, "tile", "failed", TILE_FAILED)
    return place


def test_the_estimate_is_quoted(folder: Path) -> None:
    row = status_of(folder, "field", "field.png")
    assert (row.status, row.reason) == (
        "failed", f"{TILE_FAILED}; estimated from its pixels: 0.5 µm/px (0.4–0.62)",
    )  # fmt: skip


def test_why_there_is_none_is_quoted(folder: Path) -> None:
    write_prediction(folder, Prediction(None, None, None, "abstained", "no tissue found", 0, {}, ""))
    recorded(folder, "predict")
    row = status_of(folder, "field", "field.png")
    assert row.reason.endswith("its pixels give no estimate: no tissue found")


def test_what_an_earlier_run_left_is_not_quoted(folder: Path) -> None:
    write_record(folder, Record("predict", "failed", "field.png: cannot be decoded", "f"))
    recorded(folder, "tile", "failed", TILE_FAILED)
    assert (folder / NAME).exists()
    assert status_of(folder, "field", "field.png").reason == "field.png: cannot be decoded"


def test_what_somebody_changed_is_not_quoted(folder: Path) -> None:
    write_prediction(folder, Prediction(1.0, 0.9, 1.1, "ok", "", 9, {}, ""))
    assert status_of(folder, "field", "field.png").reason == TILE_FAILED


def test_a_damaged_record_is_a_failure_with_the_way_out(folder: Path) -> None:
    (folder / "predict.json").write_text("{")
    row = status_of(folder, "field", "field.png")
    assert row.status == "failed"
    assert "run again" in row.reason
