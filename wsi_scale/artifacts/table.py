"""Text tables (.tsv, .csv) for spreadsheets: no cell starts a formula, and reading gives back what was written."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file

Value = str | int | float | None

#: What a spreadsheet takes for the start of a formula, behind apostrophes that keep it from doing so.
_FORMULA = re.compile(r"'*(\s*[=+\-@＝＋－＠]|[\t\r\n])")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def write_table(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Iterable[Value]],
    *,
    delimiter: str = "\t",
    errors: str = "backslashreplace",
) -> None:
    """Write a table atomically.

    Parameters
    ----------
    rows
        Cells in the order of the columns; None is an empty one.
    errors
        How bytes of a path that are not valid text are written: by default escaped.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    text = io.StringIO(newline="")
    # With both marks in it the writer quotes a cell that holds either: a reader takes a lone one for a line's end.
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    lines = []
    for row in (columns, *rows):
        writer.writerow([as_cell(value) for value in row])
        lines.append(text.getvalue().removesuffix("\r\n") + "\n")
        text.seek(0)
        text.truncate()
    with replacing_file(path) as part:
        part.write_text("".join(lines), encoding="utf-8", errors=errors, newline="")


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table that ``write_table`` wrote with tabs.

    Raises
    ------
    OSError, ValueError, csv.Error
        It cannot be read, or has other columns or rows of another length.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in csv.reader(stream, delimiter="\t", strict=True) if line]
    if not lines or lines[0] != list(columns):
        raise ValueError(f"its columns are not {', '.join(columns)}")
    if wrong := next((line for line in lines if len(line) != len(columns)), None):
        raise ValueError(f"a row has {len(wrong)} cells under {len(columns)} columns")
    return [dict(zip(columns, map(from_cell, line), strict=True)) for line in lines[1:]]


def as_cell(value: Value) -> str:
    """Write a value as a cell; text that would start a formula gets an apostrophe, as in spreadsheets.

    >>> as_cell("=1+1"), as_cell(-0.5), as_cell("-0.5"), as_cell(None), as_cell("it's")
    ("'=1+1", '-0.5', '-0.5', '', "it's")
    """
    if not isinstance(value, str):
        return "" if value is None else str(value)
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value


def from_cell(cell: str) -> str:
    """Read the text of a cell.

    >>> from_cell("'=1+1"), from_cell("=1+1"), from_cell("'tis")
    ('=1+1', '=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
