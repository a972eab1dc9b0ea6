import csv
from pathlib import Path

import pytest

from wsi_scale.errors import SheetError, UserError
from wsi_scale.slides import SheetRow, read_sheet, slides_of, write_sheet
from wsi_scale.slides.discover import slide_id_for


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
        "slide_id 'one' occurs 2 times",
    )


def test_unknown_and_missing_columns_are_named(folder: Path) -> None:
    assert problems(folder / "s.tsv", "slideid\tpath\tMPP\tpath\n") == (
        "unknown column 'slideid'; did you mean slide_id?",
        "unknown column 'MPP'; did you mean mpp?",
        "column 'path' occurs 2 times",
        "column 'slide_id' is missing",
    )


def test_columns_of_the_users_own_are_named_once_and_left_alone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "s.csv").write_text(
        "slide_id,batch,path,notes,mpp_x,,notes,\none,b1,a.svs,x,9,,y,\ntwo,b1,a.svs,x,9,,y,\n"
    )
    rows = read_sheet(folder / "s.csv")
    assert rows == [SheetRow(name, folder / "a.svs", None, None) for name in ("one", "two")]
    assert [record.message for record in caplog.records] == [
        f"{folder / 's.csv'}: columns that are not used: batch, notes, mpp_x, notes"
    ]


@pytest.mark.parametrize("wrong", ["MPP", "Mpp ", "m_pp", "groups"])
def test_a_misspelt_column_is_no_column_of_the_users_own(folder: Path, wrong: str) -> None:
    known = "group" if wrong == "groups" else "mpp"
    assert problems(folder / "s.csv", f"slide_id,path,{wrong}\none,a.svs,0.5\n") == (
        f"unknown column {wrong.strip()!r}; did you mean {known}?",
    )


@pytest.mark.parametrize("name", ["s.csv", "s.tsv"])
@pytest.mark.parametrize("mark", ["\t", ",", ";"])
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r"), ("utf-16", "\r\n")])
def test_a_sheet_is_read_however_a_spreadsheet_divides_and_encodes_it(
    folder: Path, name: str, mark: str, encoding: str, end: str
) -> None:
    (folder / "ä.svs").touch()
    lines = ["slide_id,path,mpp,group", "Brustdrüse,ä.svs,0.25,p 1", ",,,"]
    (folder / name).write_bytes(end.join(lines).replace(",", mark).encode(encoding))
    assert read_sheet(folder / name) == [SheetRow("Brustdrüse", folder / "ä.svs", 0.25, "p 1")]


def test_slides_that_are_not_there_fail_alone_unless_none_is(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "slide_id,path\none,a.svs\ntwo,gone.svs\nthree,moved/too.svs\n"
    (folder / "s.csv").write_text(text)
    assert read_sheet(folder / "s.csv") == [
        SheetRow("one", folder / "a.svs", None, None),
        SheetRow("two", folder / "gone.svs", None, None),
        SheetRow("three", folder / "moved/too.svs", None, None),
    ]
    (record,) = caplog.records
    assert "2 of 3 slides do not exist and will fail: path 'gone.svs': no such file" in record.message
    assert len(problems(folder / "s.csv", text.replace("a.svs", "also-gone.svs"))) == 3


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("slide_id;path;mpp\none;a.svs;0,25\n", "line 2: mpp '0,25' is not a number; write 0.25"),
        ("slide_id;path;mpp\none;a.svs;1.0,25\n", "line 2: mpp '1.0,25' is not a number"),
        ("slide_id,path,mpp\none,a.svs,\"0,25\"\n", "line 2: mpp '0,25' is not a number; write 0.25"),
        ("slide_id,path,group\none,a.svs,p\x01\n", "line 2: group 'p\\x01' has control characters or is not UTF-8"),
        ("slide_id,path\none,a.svs\0\n", "it holds null bytes, so it is not text; save it as CSV in UTF-8"),
        ("slide_id|path\none|a.svs\n", "column 'slide_id' is missing"),
        ("one,a.svs\n", "column 'path' is missing"),
        ("slide_id,path\none," + "x" * 300 + "/b\n", "no such file in the sheet's folder or the working directory"),
        ("slide_id,path\n" + '"' * 3 + "x" * 200_000, "it is not a table of text"),
    ],
)  # fmt: skip
def test_a_faulty_sheet_says_where_and_what_to_do(folder: Path, content: str, fault: str) -> None:
    assert any(fault in told for told in problems(folder / "s.csv", content))


def test_a_sheet_of_another_encoding_says_so(folder: Path) -> None:
    (folder / "s.csv").write_bytes("slide_id,path\nDrüse,ä.svs\n".encode("latin-1"))
    with pytest.raises(SheetError) as caught:
        read_sheet(folder / "s.csv")
    assert [told.endswith("save the sheet as UTF-8") for told in caught.value.problems] == [True, True]
    # Names of files need not be text: a sheet with the very bytes of such a name finds its file.
    (folder / "\udce4.svs").touch()
    (folder / "s.csv").write_bytes(b"slide_id,path\none,\xe4.svs\n")
    assert read_sheet(folder / "s.csv") == [SheetRow("one", folder / "\udce4.svs", None, None)]


def test_a_folder_is_no_sheet(folder: Path) -> None:
    (folder / "folder.tsv").mkdir()
    with pytest.raises(SheetError, match="cannot be read"):
        read_sheet(folder / "folder.tsv")


def test_a_sheet_without_rows_or_text_is_a_fault(folder: Path) -> None:
    assert problems(folder / "s.tsv", "slide_id\tpath\n") == ("it has no rows",)
    assert problems(folder / "s.tsv", "") == ("it is empty; it needs the columns slide_id, path",)
    assert problems(folder / "s.tsv", "\n \t\n") == ("it is empty; it needs the columns slide_id, path",)
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


@pytest.mark.parametrize("sheet", ["out.tsv", "out.csv"])
def test_names_that_look_like_formulas_blanks_or_lines_come_back(tmp_path: Path, sheet: str) -> None:
    names = [
        *("=1+1.svs", "+1.svs", "-1-1.svs", "@x.svs", "＝1.svs", "'=1.svs", "''=1.svs", "' =1.svs", "-5", "'x.svs"),
        *(" =1.svs", " x.svs", "x.svs ", "\tx.svs", "a\rb.svs", "a\nb.svs", "a\r\nb.svs", '"x".svs', "a,b;c\td.svs"),
    ]
    for name in names:
        (tmp_path / name).touch()
    ids = [f"{slide_id_for(Path(name))}{number}" for number, name in enumerate(names)]
    rows = [SheetRow(slide_id, tmp_path / name, 0.25, "-1-1") for slide_id, name in zip(ids, names, strict=True)]
    write_sheet(tmp_path / sheet, rows)
    assert read_sheet(tmp_path / sheet) == rows
    with (tmp_path / sheet).open(newline="") as stream:
        cells = [cell for row in csv.reader(stream, delimiter="\t" if sheet == "out.tsv" else ",") for cell in row]
    assert {cell for cell in cells if cell.lstrip()[:1] in set("=+-@＝")} == {"+11", "-58", "-5"}  # plain numbers


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
