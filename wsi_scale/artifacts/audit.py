"""``audit.tsv``: every slide's claim of µm per pixel held against its look."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file

NAME = "audit.tsv"


@dataclass(frozen=True)
class AuditRow:
    """A slide's claim, its estimate and the verdict.

    Attributes
    ----------
    slide_id, path
        Of the slide.
    claimed_mpp, mpp_source
        What metadata or an override says; None where nothing does.
    mpp, mpp_low, mpp_high
        What the pixels look like; None where the estimator abstains.
    flag
        none, missing, implausible, off_2x, off_10x or mixed.
    reason
        One line.
    """

    slide_id: str
    path: str
    claimed_mpp: float | None
    mpp_source: str
    mpp: float | None
    mpp_low: float | None
    mpp_high: float | None
    flag: str
    reason: str


def write_audit(folder: Path, rows: Sequence[AuditRow]) -> None:
    """Write the table, one row a slide."""
    with replacing_file(folder / NAME) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(field.name for field in fields(AuditRow))
        writer.writerows(("" if v is None else v for v in asdict(row).values()) for row in rows)
