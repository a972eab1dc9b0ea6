"""``prediction.json``: µm per pixel estimated from a slide's pixels."""

from dataclasses import asdict
from pathlib import Path

from wsi_scale.artifacts import names
from wsi_scale.artifacts.documents import read_document, write_json
from wsi_scale.results.prediction import Prediction

NAME = names.PREDICTION


def write_prediction(folder: Path, prediction: Prediction) -> None:
    """Write a prediction."""
    write_json(folder / NAME, asdict(prediction))


def read_prediction(folder: Path) -> Prediction | None:
    """Read a slide's prediction; None where there is none."""
    path = folder / NAME
    if not path.exists():
        return None
    return read_document(path, Prediction, "prediction", "delete it and run again")
