"""``prediction.json``: µm per pixel estimated from a slide's pixels; and a table of such estimates of many slides."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from wsi_scale.artifacts import names
from wsi_scale.artifacts.documents import read_document, write_json
from wsi_scale.artifacts.table import Value, read_table, write_table
from wsi_scale.errors import ArtifactError
from wsi_scale.results.prediction import Prediction

NAME = names.PREDICTION
#: Columns of the table.
COLUMNS = ("path", "mpp", "mpp_low", "mpp_high", "status", "reason")


def write_prediction(folder: Path, prediction: Prediction) -> None:
    """Write a prediction."""
    write_json(folder / NAME, asdict(prediction))


def read_prediction(folder: Path) -> Prediction | None:
    """Read a slide's prediction; None where there is none."""
    path = folder / NAME
    if not path.exists():
        return None
    return read_document(path, Prediction, "prediction", "delete it and run again")


def check_estimates(path: Path) -> None:
    """Check that a table of estimates overwrites nothing but an earlier one.

    Raises
    ------
    ArtifactError
        It would.
    """
    if not path.exists():
        return
    try:
        read_table(path, COLUMNS)
    except (OSError, ValueError, csv.Error) as error:
        raise ArtifactError(f"{path} exists and is no table of estimates; choose another name with -o") from error


def write_estimates(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Write a table of estimates, one row for each slide; values by their columns."""
    write_table(path, COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
