"""The cases that each evaluation network never sees."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.sources import TRAINED_ON
from benchmarks.splits import FOLDS, SCANNERS, main, scanners_of_cases

FOLDER = Path(__file__).parents[2] / "configs" / "splits"
FOLD_NAMES = [f"fold-{number + 1}" for number in range(FOLDS)]
NAMES = [*FOLD_NAMES, *SCANNERS]
BOTH = "on both scanners"


def read(path: Path) -> dict[str, str]:
    """Case → why it is kept out."""
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t")
        rows = list(reader)
        assert reader.fieldnames == ["case", "why"]
    assert len(rows) == len({row["case"] for row in rows})
    return {row["case"]: row["why"] for row in rows}


TABLES = {name: read(FOLDER / f"{name}.tsv") for name in NAMES}


def test_there_is_a_table_for_each_split_and_no_other() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_case_is_there_once_for_a_reason_and_in_order(name: str) -> None:
    table = TABLES[name]
    assert len(table) >= 15
    assert all(table.values())
    assert list(table) == sorted(table)


def test_folds_share_no_case_cover_all_and_are_even() -> None:
    counts = Counter(case for name in FOLD_NAMES for case in TABLES[name])
    assert set(counts.values()) == {1}
    # A case whose scanner is not known is in a fold all the same.
    assert set(counts) >= {case for name in SCANNERS for case in TABLES[name]}
    sizes = [len(TABLES[name]) for name in FOLD_NAMES]
    assert max(sizes) - min(sizes) <= 1


def test_a_case_on_both_scanners_is_in_neither_training_that_leaves_one_out() -> None:
    one, other = (TABLES[name] for name in SCANNERS)
    assert set(one) & set(other) == {case for table in (one, other) for case, why in table.items() if why == BOTH}
    for name, scanner in SCANNERS.items():
        assert set(TABLES[name].values()) <= {scanner, BOTH}


def test_every_fold_holds_cases_of_each_scanner() -> None:
    for scanner_table in (TABLES[name] for name in SCANNERS):
        shares = [len(set(TABLES[fold]) & set(scanner_table)) for fold in FOLD_NAMES]
        assert max(shares) - min(shares) <= 2


def write_crops(root: Path, later: int) -> None:
    """Tables of crops with cases of one scanner each, of both, rows that name none, and cases that came later."""
    for table, rows in {
        "tissue": [(f"a{n}", "Aperio AT2") for n in range(7)] + [("both", "Aperio AT2"), ("a0", "")],
        "tissue_wide": [(f"b{n}", "Leica GT450 DX") for n in range(5)] + [("both", "Leica GT450 DX"), ("unknown", "")],
        "tissue_more": [(f"c{n}", "Aperio AT2 (by stripe period)") for n in range(later)],
    }.items():
        (root / table).mkdir(parents=True, exist_ok=True)
        lines = ["file\tcase\tmpp\tscanner", *(f"x.png\t{case}\t0.25\t{scanner}" for case, scanner in rows)]
        (root / table / "crops.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_tables_are_written_from_the_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_crops(tmp_path / "data", later=4)
    monkeypatch.setenv("WSI_SCALE_DATA", str(tmp_path / "data"))

    main(tmp_path / "splits")

    written = {path.stem: read(path) for path in (tmp_path / "splits").iterdir()}
    assert set(written) == set(NAMES)
    aperio = [*(f"a{n}" for n in range(7)), *(f"c{n}" for n in range(4))]
    assert written["without-at2"] == {**dict.fromkeys(aperio, "Aperio AT2"), "both": BOTH}
    assert written["without-gt450"] == {**{f"b{n}": "Leica GT450 DX" for n in range(5)}, "both": BOTH}
    folded = Counter(case for name in FOLD_NAMES for case in written[name])
    assert folded == dict.fromkeys([*aperio, *(f"b{n}" for n in range(5)), "both", "unknown"], 1)


def test_cases_that_come_later_move_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSI_SCALE_DATA", str(tmp_path / "data"))
    write_crops(tmp_path / "data", later=1)
    main(tmp_path / "before")
    write_crops(tmp_path / "data", later=6)
    main(tmp_path / "after")
    for name in FOLD_NAMES:
        before, after = (set(read(tmp_path / when / f"{name}.tsv")) for when in ("before", "after"))
        assert {case for case in before if case[0] != "c"} == {case for case in after if case[0] != "c"}
        assert sum(case[0] == "c" for case in after) == 2


@pytest.mark.data
def test_the_tables_are_those_of_the_data(data_root: Path, tmp_path: Path) -> None:
    main(tmp_path / "splits")
    for name in NAMES:
        written = (tmp_path / "splits" / f"{name}.tsv").read_bytes()
        assert written == (FOLDER / f"{name}.tsv").read_bytes(), name
    assert set(scanners_of_cases(data_root, TRAINED_ON)) == {case for name in FOLD_NAMES for case in TABLES[name]}
