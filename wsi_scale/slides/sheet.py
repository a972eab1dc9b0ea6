"""Sample sheets, and which slides a folder, sheet or path stands for."""

import codecs
import csv
import difflib
import io
import logging
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wsi_scale.artifacts.table import from_cell, write_table
from wsi_scale.errors import SheetError, UserError, comma_hint
from wsi_scale.slides.discover import find_slides, slide_id_for
from wsi_scale.units import PLAUSIBLE_MPP, is_plausible_mpp

log = logging.getLogger(__name__)

#: Columns of a sheet; the first two must be there.
COLUMNS = ("slide_id", "path", "mpp", "group")
_NEEDED = ("slide_id", "path")

#: Suffixes of sheets.
SHEET_SUFFIXES = (".tsv", ".csv")

#: What may divide a sheet's columns.
_DELIMITERS = ("\t", ",", ";")
#: Likeness from which a column's name is a misspelt one of those that are known.
_MISSPELT = 0.8

_UNFIT_ID = re.compile(r"[/{}<>\x00-\x1f\x7f]")
#: Bytes of another encoding than the sheet's.
_NO_TEXT = re.compile("[\ud800-\udfff\ufffd]")
_UNFIT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_AROUND = "the sheet's folder or the working directory"


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
        If the source does not exist, or the folder holds no slides.
    SheetError
        If the sheet has faults.
    """
    if not is_there(source):
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
        ``.tsv`` or ``.csv``, divided by tabs, commas or semicolons, UTF-8 (or UTF-16 with its mark), with the
        columns ``slide_id`` and ``path`` and, if wanted, ``mpp`` and ``group``; others are named in a warning
        and left alone. A relative path is looked for in the sheet's own folder first, then in the working directory.

    Returns
    -------
    list of SheetRow
        In the sheet's order. A slide that is not there keeps its row, with a warning, unless none is.

    Raises
    ------
    SheetError
        With every fault the sheet has.
    """
    header, lines = _cells(path)
    problems = _header_problems(header)
    rows = [_row(path, dict(zip(header, cells, strict=False))) for _, cells in lines]
    for (number, cells), row in zip(lines, rows, strict=True):
        surplus = [f"{len(cells)} cells under {len(header)} columns"] if any(cells[len(header) :]) else []
        problems += [f"line {number}: {fault}" for fault in (*surplus, *row.faults)]
    problems += _duplicates([row.slide.slide_id for row in rows])
    problems += [] if rows or problems else ["it has no rows"]
    missing = [row.missing for row in rows if row.missing]
    # A few slides that are not there fail alone; where none is, it is the sheet that is wrong.
    if len(problems) > len(missing) or len(missing) == len(rows):
        raise SheetError(str(path), problems)
    if missing:
        log.warning("%s: %d of %d slides do not exist and will fail: %s", path, len(missing), len(rows), missing[0])
    if others := [name for name in header if name and name not in COLUMNS]:
        log.warning("%s: columns that are not used: %s", path, ", ".join(others))
    return [row.slide for row in rows]


@dataclass(frozen=True)
class _Row:
    """A row as it was read: its slide, its faults, and which fault means that the slide is missing."""

    slide: SheetRow
    faults: list[str]
    missing: str


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
    write_table(
        path,
        COLUMNS,
        [(row.slide_id, _shown(row.path, path.parent), row.mpp, row.group) for row in rows],
        delimiter=_delimiter(path),
        errors="surrogateescape",
    )


def _shown(slide: Path, folder: Path) -> str:
    absolute, base = slide.absolute(), folder.absolute()
    shown = str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)
    # Blanks around a cell are taken off when it is read.
    return shown if shown == shown.strip() else f"./{shown}/."


def _delimiter(path: Path, header: str = "") -> str:
    """Find the delimiter that gives the needed columns; by default that of the sheet's suffix."""
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    for mark in (usual, *_DELIMITERS):
        names = {name.strip() for cells in csv.reader([header], delimiter=mark) for name in cells}
        if names.issuperset(_NEEDED):
            return mark
    return usual


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and (line number, cells) of every row that is not blank."""
    text = _text(path)
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=_delimiter(path, io.StringIO(text, newline="").readline())
        )
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise SheetError(str(path), [f"it is not a table of text ({error})"]) from error
    if not lines:
        raise SheetError(str(path), [f"it is empty; it needs the columns {', '.join(_NEEDED)}"])
    return lines[0][1], lines[1:]


def _text(path: Path) -> str:
    """Text of a sheet: UTF-8, or UTF-16 as Excel writes it; bytes that are neither stay as they are."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SheetError(str(path), [f"it cannot be read ({error.strerror or error})"]) from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16", "replace") if wide else content.decode("utf-8-sig", "surrogateescape")
    if "\0" in text:
        raise SheetError(str(path), ["it holds null bytes, so it is not text; save it as CSV in UTF-8"])
    return text


def _header_problems(header: list[str]) -> list[str]:
    """Columns that are missing, given twice or misspelt; other columns are allowed."""
    missing = [name for name in COLUMNS if name not in header]
    problems = []
    for name in header:
        alike = [known for known in missing if _folded(name) == _folded(known)]
        if near := alike or difflib.get_close_matches(name.lower(), missing, n=1, cutoff=_MISSPELT):
            problems.append(f"unknown column {name!r}; did you mean {near[0]}?")
    problems += [f"column {name!r} occurs {header.count(name)} times" for name in COLUMNS if header.count(name) > 1]
    return problems + [f"column {name!r} is missing" for name in _NEEDED if name in missing]


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _row(sheet: Path, values: dict[str, str]) -> _Row:
    slide_id, named, group = (from_cell(values.get(name, "")) for name in ("slide_id", "path", "group"))
    slide = _resolved(sheet.parent, named)
    missing = f"path {named!r}: no such file in {_AROUND}{_encoding_hint(named)}" if named and not slide else ""
    mpp, mpp_faults = _mpp(values.get("mpp", ""))
    faults = [
        *(id_faults(slide_id) if "slide_id" in values else []),
        *(["path is empty"] if "path" in values and not named else []),
        *([missing] if missing else []),
        *mpp_faults,
        *([f"group {group!r} has control characters or is not UTF-8"] if _UNFIT_TEXT.search(group) else []),
    ]
    return _Row(SheetRow(slide_id, slide or sheet.parent / named, mpp, group or None), faults, missing)


def _encoding_hint(named: str) -> str:
    return "; the name is not UTF-8: save the sheet as UTF-8" if _NO_TEXT.search(named) else ""


def id_faults(slide_id: str) -> list[str]:
    """List why a text cannot be the id of a slide; [] if it can."""
    if not slide_id:
        return ["slide_id is empty"]
    if _UNFIT_ID.search(slide_id):
        return [f"slide_id {slide_id!r} has '/', {{}}, <> or control characters"]
    if _NO_TEXT.search(slide_id):
        return [f"slide_id {slide_id!r} is not UTF-8; save the sheet as UTF-8"]
    return [f"slide_id {slide_id!r} begins with a dot"] if slide_id.startswith(".") else []


def _resolved(folder: Path, named: str) -> Path | None:
    """Find the file named, in the sheet's folder or else in the working directory."""
    candidates = [folder / named, Path(named)]
    return next((candidate for candidate in candidates if named and is_there(candidate)), None)


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; never raises, as Path.exists does where it cannot tell."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, not to be searched, or with a null byte
        return False


def _mpp(text: str) -> tuple[float | None, list[str]]:
    """µm per pixel of a cell, and what is wrong with it."""
    if not text:
        return None, []
    try:
        value = float(text)
    except ValueError:
        return None, [f"mpp {text!r} is not a number{comma_hint(text)}"]
    if not is_plausible_mpp(value):
        return None, [f"mpp {text} does not lie within {PLAUSIBLE_MPP[0]:g}–{PLAUSIBLE_MPP[1]:g} µm/px"]
    return value, []


def _duplicates(ids: list[str]) -> list[str]:
    return [f"slide_id {name!r} occurs {count} times" for name, count in Counter(ids).items() if count > 1 and name]
