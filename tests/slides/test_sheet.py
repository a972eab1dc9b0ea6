from pathlib import Path

import pytest

from wsi_scale.errors import SheetError, UserError
from wsi_scale.slides import SheetRow, read_sheet, slides_of, write_sheet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two empty slides."""
    for name in ("a.svs", "sub/b 1.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def problems(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SheetError) as caught:
        read_sheet(path)
    assert "\n" not in str(caught.value)
    return caught.value.problems


@pytest.mark.parametrize(("name", "mark"), [("s.tsv", "\t"), ("s.csv", ","), ("excel.csv", ";")])
def test_a_sheet_is_read(folder: Path, name: str, mark: str) -> None:
    lines = ["\ufeffslide_id,path,mpp,group", "one,a.svs,0.25,p 1", "", "two,sub/b 1.tif,,"]
    (folder / name).write_text("\r\n".join(line.replace(",", mark) for line in lines), encoding="utf-8")
    assert read_sheet(folder / name) == [
        SheetRow("one", folder / "a.svs", 0.25, "p 1"),
        SheetRow("two", folder / "sub/b 1.tif", None, None),
    ]


def test_mpp_and_group_may_be_left_out(folder: Path) -> None:
    (folder / "s.tsv").write_text("path\tslide_id\na.svs\tone\n")
    assert read_sheet(folder / "s.tsv") == [SheetRow("one", folder / "a.svs", None, None)]


def test_a_path_is_sought_beside_the_sheet_then_in_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sub/s.tsv").write_text("slide_id\tpath\none\ta.svs\ntwo\tb 1.tif\n")
    monkeypatch.chdir(folder)
    assert [row.path.resolve() for row in read_sheet(folder / "sub/s.tsv")] == [
        folder / "a.svs", folder / "sub/b 1.tif",
    ]  # fmt: skip


def test_ten_faults_are_told_at_once(folder: Path) -> None:
    rows = [
        "one\ta.svs\tzero\t", "one\ta.svs\t0\t", "\ta.svs\t\t", "a/b\ta.svs\t\t", "c{d}\ta.svs\t\t",
        "e\x01\ta.svs\t\t", ".f\ta.svs\t\t", "g\tnone.svs\t1000\t", "h\t\tnan\tx", "i\ta.svs\t\t\textra",
    ]  # fmt: skip
    told = problems(folder / "s.tsv", "\n".join(["slide_id\tpath\tmpp\tgroup", *rows]))
    assert told == (
        "line 2: mpp 'zero' is not a number",
        "line 3: mpp 0 does not lie within 0.05–50 µm/px",
        "line 4: slide_id is empty",
        "line 5: slide_id 'a/b' has '/', {}, <> or control characters",
        "line 6: slide_id 'c{d}' has '/', {}, <> or control characters",
        "line 7: slide_id 'e\\x01' has '/', {}, <> or control characters",
        "line 8: slide_id '.f' begins with a dot",
        "line 9: path 'none.svs': no such file in the sheet's folder or the working directory",
        "line 9: mpp 1000 does not lie within 0.05–50 µm/px",
        "line 10: path is empty",
        "line 10: mpp nan does not lie within 0.05–50 µm/px",
        "line 11: 5 cells under 4 columns",
        "slide_id 'one' is there 2 times",
    )


def test_unknown_and_missing_columns_are_named(folder: Path) -> None:
    assert problems(folder / "s.tsv", "slideid\tpath\tMPP\tpath\n") == (
        "unknown column 'slideid'; did you mean slide_id?",
        "unknown column 'MPP'; did you mean mpp?",
        "column 'path' is there 2 times",
        "column 'slide_id' is missing",
    )
    assert problems(folder / "s.tsv", "slide_id\tpath\tzzzz\n")[0].endswith("known are slide_id, path, mpp, group")


def test_a_sheet_without_rows_or_text_is_a_fault(folder: Path) -> None:
    assert problems(folder / "s.tsv", "slide_id\tpath\n") == ("it has no rows",)
    assert "column 'path' is missing" in problems(folder / "s.tsv", "")
    (folder / "s.csv").write_bytes(b"\x00\xff\x89PNG\r\n\x00")
    with pytest.raises(SheetError):
        read_sheet(folder / "s.csv")
    with pytest.raises(SheetError, match="cannot be read"):
        read_sheet(folder / "none.tsv")


@pytest.mark.parametrize("name", ["out.tsv", "sub/out.csv"])
def test_what_is_written_is_read_back(folder: Path, name: str) -> None:
    odd = folder / 'tab\tquote"comma,µ.svs'
    odd.touch()
    rows = [SheetRow("one", folder / "a.svs", 0.25, "p"), SheetRow("two", odd, None, None)]
    write_sheet(folder / name, rows)
    assert [(row.slide_id, row.path.resolve(), row.mpp, row.group) for row in read_sheet(folder / name)] == [
        ("one", folder / "a.svs", 0.25, "p"), ("two", odd, None, None),
    ]  # fmt: skip
    assert not list(folder.rglob("*wsi-scale*"))


def test_a_sheet_that_cannot_be_written_is_one_line(folder: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        write_sheet(folder / "a.svs" / "out.tsv", [])


def test_a_source_is_a_folder_a_sheet_or_a_slide(folder: Path) -> None:
    assert [row.slide_id for row in slides_of(folder)] == ["a", "sub__b 1"]
    assert [row.slide_id for row in slides_of(folder, exclude=folder / "sub")] == ["a"]
    assert slides_of(folder / "sub/b 1.tif") == [SheetRow("b 1", folder / "sub/b 1.tif", None, None)]
    (folder / "s.tsv").write_text("slide_id\tpath\none\ta.svs\n")
    assert slides_of(folder / "s.tsv")[0].slide_id == "one"
    with pytest.raises(UserError, match="no such file or folder"):
        slides_of(folder / "none")
