"""``breakhis.tsv`` and ``breakhis.json``: how well the relative scale of BreakHis's images is told."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.documents import write_json

TABLE, FIGURES = "breakhis.tsv", "breakhis.json"


@dataclass(frozen=True)
class BreakHisRow:
    """An image and its two answers, a row of ``breakhis.tsv``.

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
    """Write the table, one row an image, and the figures that sum it up."""
    with (
        replacing_file(folder / TABLE) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(field.name for field in fields(BreakHisRow))
        writer.writerows(asdict(row).values() for row in rows)
    write_json(folder / FIGURES, dict(figures))
