"""Sample sheets, and the one place that says which slides a source means."""

import csv
import difflib
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import SheetError, UserError
from wsi_scale.slides.discover import find_slides, slide_id_for
from wsi_scale.units import PLAUSIBLE_MPP, is_plausible_mpp

#: Columns of a sheet; the first two must be there.
COLUMNS = ("slide_id", "path", "mpp", "group")
_NEEDED = ("slide_id", "path")

#: Suffixes of sheets.
SHEET_SUFFIXES = (".tsv", ".csv")

_UNFIT_ID = re.compile(r"[/{}<>\x00-\x1f\x7f]")


@dataclass(frozen=True)
class SheetRow:
    """One slide of a study.

    Parameters
    ----------
    slide_id
        Its name in all results.
    path
        The file or DICOM folder.
    mpp
        µm per pixel of level 0 that outranks the file's, or None.
    group
        What must not be split between training and test (a patient), or None.
    """

    slide_id: str
    path: Path
    mpp: float | None
    group: str | None


def slides_of(source: Path, *, exclude: Path | None = None) -> list[SheetRow]:
    """Slides that a folder, a sample sheet or a single slide stands for.

    Parameters
    ----------
    source
        A folder (searched), a ``.tsv`` or ``.csv`` (read as a sheet) or a slide.
    exclude
        A folder that is not searched (the results).

    Raises
    ------
    UserError
        If there is nothing, or the folder holds no slides.
    SheetError
        If the sheet has faults.
    """
    if not source.exists():
        raise UserError(f"{source}: there is no such file or folder; give a slide, a folder or a sample sheet")
    if source.is_dir():
        return [SheetRow(found.slide_id, found.path, None, None) for found in find_slides(source, exclude=exclude)]
    if source.suffix.lower() in SHEET_SUFFIXES:
        return read_sheet(source)
    return [SheetRow(slide_id_for(source), source, None, None)]


def read_sheet(path: Path) -> list[SheetRow]:
    """Read a sample sheet.

    Parameters
    ----------
    path
        ``.tsv`` (tabs) or ``.csv`` (commas, or semicolons), UTF-8, with the columns ``slide_id`` and
        ``path`` and, if wanted, ``mpp`` and ``group``. A relative path is looked for in the sheet's own
        folder first, then in the working directory.

    Returns
    -------
    list of SheetRow
        In the sheet's order.

    Raises
    ------
    SheetError
        With every fault the sheet has.
    """
    header, lines = _cells(path)
    problems = _header_problems(header)
    if problems:
        raise SheetError(str(path), problems)
    rows = []
    for number, cells in lines:
        if len(cells) > len(header):
            problems.append(f"line {number}: {len(cells)} cells under {len(header)} columns")
        values = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        row, faults = _row(path, values)
        problems += [f"line {number}: {fault}" for fault in faults]
        rows.append(row)
    problems += _duplicates([row.slide_id for row in rows])
    if not rows:
        problems.append("it has no rows")
    if problems:
        raise SheetError(str(path), problems)
    return rows


def write_sheet(path: Path, rows: list[SheetRow]) -> None:
    """Write a sample sheet, whole or not at all.

    Parameters
    ----------
    path
        ``.tsv`` or ``.csv``. Slides in its folder or below are named relative to it, others absolutely.
    rows
        What to write.

    Raises
    ------
    ArtifactError
        If the sheet cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=_delimiter(path, ""), lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        mpp = "" if row.mpp is None else repr(row.mpp)
        writer.writerow([row.slide_id, _shown(row.path, path.parent), mpp, row.group or ""])
    with replacing_file(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")


def _shown(slide: Path, folder: Path) -> str:
    absolute, base = slide.absolute(), folder.absolute()
    return str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)


def _delimiter(path: Path, first_line: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return ";" if ";" in first_line and "," not in first_line else ","


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and (line number, cells) of every row that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise SheetError(str(path), [f"it cannot be read ({error.strerror or error})"]) from error
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(path, text.partition("\n")[0]))
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise SheetError(str(path), [f"it is no table of text ({error})"]) from error
    if not lines:
        return [], []
    return [name.strip() for name in lines[0][1]], lines[1:]


def _header_problems(header: list[str]) -> list[str]:
    problems = []
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(COLUMNS)}"
            problems.append(f"unknown column {name!r}; {hint}")
    problems += [f"column {name!r} is there {count} times" for name, count in Counter(header).items() if count > 1]
    return problems + [f"column {name!r} is missing" for name in _NEEDED if name not in header]


def _row(sheet: Path, values: dict[str, str]) -> tuple[SheetRow, list[str]]:
    """One row and its faults."""
    slide_id, named = values.get("slide_id", ""), values.get("path", "")
    faults = _id_faults(slide_id)
    slide = _resolved(sheet.parent, named)
    if not named:
        faults.append("path is empty")
    elif slide is None:
        faults.append(f"path {named!r}: no such file in the sheet's folder or the working directory")
    mpp, mpp_faults = _mpp(values.get("mpp", ""))
    return SheetRow(slide_id, slide or Path(named), mpp, values.get("group") or None), faults + mpp_faults


def _id_faults(slide_id: str) -> list[str]:
    if not slide_id:
        return ["slide_id is empty"]
    if _UNFIT_ID.search(slide_id):
        return [f"slide_id {slide_id!r} has '/', {{}}, <> or control characters"]
    return [f"slide_id {slide_id!r} begins with a dot"] if slide_id.startswith(".") else []


def _resolved(folder: Path, named: str) -> Path | None:
    """Find the file named, in the sheet's folder or else in the working directory."""
    candidates = [folder / named, Path(named)]
    return next((candidate for candidate in candidates if named and _exists(candidate)), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a null byte
        return False


def _mpp(text: str) -> tuple[float | None, list[str]]:
    """µm per pixel of a cell, and what is wrong with it."""
    if not text:
        return None, []
    try:
        value = float(text)
    except ValueError:
        return None, [f"mpp {text!r} is not a number"]
    if not is_plausible_mpp(value):
        return None, [f"mpp {text} does not lie within {PLAUSIBLE_MPP[0]:g}–{PLAUSIBLE_MPP[1]:g} µm/px"]
    return value, []


def _duplicates(ids: list[str]) -> list[str]:
    return [f"slide_id {name!r} is there {count} times" for name, count in Counter(ids).items() if count > 1 and name]
