"""``audit.tsv``: each slide's claimed µm per pixel compared with the estimate from its pixels."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from wsi_scale.artifacts import names
from wsi_scale.artifacts.table import write_table
from wsi_scale.results.audit import AuditRow

NAME = names.AUDIT


def write_audit(folder: Path, rows: Sequence[AuditRow]) -> None:
    """Write the table, one row for each slide; bytes of a path that are not valid text are escaped."""
    write_table(folder / NAME, [field.name for field in fields(AuditRow)], [astuple(row) for row in rows])
