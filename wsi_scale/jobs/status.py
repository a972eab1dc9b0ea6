"""The status of a slide, with a reason that helps."""

from pathlib import Path

from wsi_scale.artifacts.prediction import NAME as PREDICTION
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.record import check_artefact, read_record
from wsi_scale.artifacts.slide_info import NAME, read_slide_info
from wsi_scale.artifacts.status import StatusRow, slide_status
from wsi_scale.errors import ArtifactError, one_line
from wsi_scale.results.prediction import Prediction
from wsi_scale.slides.metadata import SlideInfo


def status_of(folder: Path, slide_id: str, path: str) -> StatusRow:
    """Sum up a slide; if it failed without an mpp, add the estimate from its pixels, or why there is none."""
    try:
        return _quoting(slide_status(folder, slide_id, path), folder)
    except ArtifactError as error:
        return StatusRow(slide_id, path, "failed", one_line(error))


def _quoting(row: StatusRow, folder: Path) -> StatusRow:
    if row.status != "failed" or not (folder / NAME).exists():
        return row
    tiled = read_record(folder, "tile")
    if tiled is None or tiled.status != "failed":
        return row
    info = SlideInfo.from_dict(read_slide_info(folder))
    prediction = _current_prediction(folder)
    if info.status != "ok" or info.usable_mpp is not None or prediction is None:
        return row
    if prediction.estimate is None:
        quoted = f"its pixels give no estimate: {prediction.reason}"
    else:
        mpp, low, high = prediction.estimate
        quoted = f"estimated from its pixels: {mpp:.3g} µm/px ({low:.3g}–{high:.3g})"
    return StatusRow(row.slide_id, row.path, row.status, f"{row.reason}; {quoted}")


def _current_prediction(folder: Path) -> Prediction | None:
    """Read the prediction of the last run; None where that left none, whatever an earlier one left."""
    try:
        check_artefact(folder, PREDICTION)
    except ArtifactError:
        return None
    return read_prediction(folder)
