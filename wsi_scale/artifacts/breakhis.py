"""``breakhis.tsv`` and ``breakhis.json``: how well the relative scale of BreakHis images is estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from wsi_scale.artifacts.documents import write_json
from wsi_scale.artifacts.table import write_table

TABLE, FIGURES = "breakhis.tsv", "breakhis.json"


@dataclass(frozen=True)
class BreakHisRow:
    """An image and its two estimates, a row of ``breakhis.tsv``.

    Attributes
    ----------
    path
        Below the folder that was searched.
    patient, tumour_type, magnification, fold
        Of the image; folds count from 1.
    untrained_log2, untrained_class
        Relative log2 mpp by the estimator as it is, less an offset, and the nearest magnification.
    fitted_log2, fitted_class
        The same by a head fitted on patients of other folds.
    """

    path: str
    patient: str
    tumour_type: str
    magnification: int
    fold: int
    untrained_log2: float
    untrained_class: int
    fitted_log2: float
    fitted_class: int


def write_breakhis(folder: Path, rows: Sequence[BreakHisRow], figures: Mapping[str, object]) -> None:
    """Write the table, one row for each image, and summary figures."""
    write_table(folder / TABLE, [field.name for field in fields(BreakHisRow)], [astuple(row) for row in rows])
    write_json(folder / FIGURES, dict(figures))
