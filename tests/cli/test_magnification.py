"""`wsi-scale magnification`: µm per pixel from pixels, without a results folder."""

import csv
import html
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.planted import SPREAD, write_planted
from tests.runs import MPP, draw, error_line, in_child, wsi_scale
from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.synthesis import write_pyramid

KEYS = ["path", "mpp", "mpp_low", "mpp_high", "status", "reason"]


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor that takes every slide below for 0.5 µm/px."""
    return write_planted(tmp_path_factory.mktemp("half"), 0.5)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor that takes every slide below for 6 µm/px, which is more than is answered."""
    return write_planted(tmp_path_factory.mktemp("far"), 6.0)


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small slides: right, off by 2 and by 10, absurd, silent, glass, and a text."""
    folder = tmp_path_factory.mktemp("slides")
    image = draw(3.0, 180, 180)
    for name, header in (("right", 0.5), ("twice", 1.0), ("ten", 5.0), ("absurd", 352.0)):
        write_pyramid(folder / f"{name}.tiff", image, MPP, header_mpp=header)
    write_pyramid(folder / "glass.tiff", np.full((180, 180, 3), 241, np.uint8), MPP)
    Image.fromarray(image).save(folder / "silent.png")
    (folder / "letter.svs").write_text("Dear colleague\n" * 20)
    return folder


def told(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and rows of `predict --json`."""
    result = wsi_scale("magnification", "predict", "--json", *arguments)
    return result.exit_code, json.loads(result.stdout)


def audit_table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "audit.tsv").open(encoding="utf-8", newline="") as stream:
        return {row["slide_id"]: row for row in csv.DictReader(stream, delimiter="\t")}


def test_the_keys_are_stable_and_the_values_what_the_regressor_says(slides: Path, half: Path) -> None:
    code, (row,) = told(slides / "twice.tiff", "--regressor", half)

    assert code == 0
    assert list(row) == KEYS
    assert (row["path"], row["status"], row["reason"]) == (str(slides / "twice.tiff"), "ok", "")
    said = [row["mpp"], row["mpp_low"], row["mpp_high"]]
    assert said == pytest.approx([0.5 * 2 ** (sign * 0.8 * SPREAD) for sign in (0, -1, 1)], rel=1e-3)


def test_everything_in_a_folder_is_looked_at_and_what_cannot_be_read_is_a_row(slides: Path, half: Path) -> None:
    code, rows = told(slides, "--regressor", half)

    assert code == 1
    assert sorted(row["path"] for row in rows) == sorted(str(path) for path in slides.iterdir())
    by_name = {Path(row["path"]).name: row for row in rows}
    assert {name: row["status"] for name, row in by_name.items()} == {
        **{f"{name}.tiff": "ok" for name in ("right", "twice", "ten", "absurd")},
        "silent.png": "ok",
        "glass.tiff": "abstained",
        "letter.svs": "failed",
    }
    for name, reason in (("glass.tiff", "no tissue found"), ("letter.svs", "not a known slide or image format")):
        row = by_name[name]
        assert reason in row["reason"]
        assert [row["mpp"], row["mpp_low"], row["mpp_high"]] == [None] * 3
    # Headers are not used.
    assert len({by_name[f"{name}.tiff"]["mpp"] for name in ("right", "twice", "ten", "absurd")}) == 1


def test_several_sources_are_answered_in_their_order(slides: Path, half: Path) -> None:
    names = ["twice.tiff", "silent.png", "right.tiff"]
    _, rows = told(*(slides / name for name in names), "--regressor", half)
    assert [Path(row["path"]).name for row in rows] == names


def test_where_nothing_can_be_read_it_exits_1_and_the_row_says_failed(slides: Path, half: Path) -> None:
    code, (row,) = told(slides / "letter.svs", "--regressor", half)

    assert code == 1
    assert list(row) == KEYS
    assert (row["status"], row["mpp"]) == ("failed", None)
    assert "\n" not in row["reason"]


def test_an_abstention_is_an_answer(slides: Path, far: Path) -> None:
    code, (row,) = told(slides / "right.tiff", "--regressor", far)

    assert code == 0
    assert (row["status"], row["mpp"]) == ("abstained", None)
    assert row["reason"].startswith("estimated from pixels: 6 µm/px, outside")


def test_people_get_a_line_a_slide(slides: Path, half: Path, far: Path) -> None:
    names = ("right.tiff", "glass.tiff", "letter.svs")
    head, *lines = wsi_scale(
        "magnification", "predict", *(slides / name for name in names), "--regressor", half
    ).stdout.splitlines()

    assert head.split() == ["mpp", "interval", "status", "path"]
    assert lines[0].split() == ["0.500", "0.435–0.574", "ok", str(slides / "right.tiff")]
    assert lines[1].split(maxsplit=2)[:2] == ["–", "abstained"]
    assert lines[1].endswith("glass.tiff: no tissue found")
    assert lines[2].split()[:2] == ["–", "failed"]
    assert len(lines) == 3


def test_a_network_that_was_moved_can_be_named(slides: Path, tmp_path: Path) -> None:
    regressor = write_planted(tmp_path, 0.5)
    moved = (tmp_path / "planted.safetensors").rename(tmp_path / "moved.safetensors")

    line = error_line(wsi_scale("magnification", "predict", slides / "right.tiff", "--regressor", regressor))
    code, (row,) = told(slides / "right.tiff", "--regressor", regressor, "--network", moved)

    assert "planted.safetensors" in line
    assert (code, row["status"]) == (0, "ok")


def test_a_regressor_can_be_configured(slides: Path, half: Path) -> None:
    _, (row,) = told(slides / "right.tiff", "--set", f"magnification.regressor={half}")
    assert row["mpp"] == pytest.approx(0.5, rel=1e-3)


def test_by_default_the_packages_own_regressor_answers(slides: Path) -> None:
    code, (row,) = told(slides / "right.tiff")
    assert code == 0
    assert row["status"] in ("ok", "abstained")
    assert (row["mpp"] is None) == bool(row["reason"])
    if row["status"] == "ok":
        assert row["mpp_low"] < row["mpp"] < row["mpp_high"]


def test_an_audit_flags_what_disagrees_and_exits_1_for_what_it_cannot_read(
    slides: Path, half: Path, tmp_path: Path
) -> None:
    result = wsi_scale("magnification", "audit", slides, "-o", tmp_path / "a", "--regressor", half)

    assert result.exit_code == 1, result.output
    table = audit_table(tmp_path / "a")
    assert {name: row["flag"] for name, row in table.items()} == {
        "right": "agrees", "glass": "no_estimate", "twice": "off_2x", "ten": "off_10x", "absurd": "implausible",
        "silent": "missing", "letter": "unreadable",
    }  # fmt: skip
    assert "(no tissue found)" in table["glass"]["reason"]
    assert "estimated from pixels: 0.5 µm/px" in table["silent"]["reason"]
    lines = result.stdout.splitlines()
    assert f"off_2x: twice: {table['twice']['reason']}" in lines
    counts = "(1 off_10x, 1 off_2x, 1 implausible, 1 missing), 1 unreadable, 1 without an estimate, 1 agrees"
    assert lines[-1] == f"4 of 7 slides flagged {counts}; see {tmp_path / 'a' / 'audit.html'}"
    assert result.stderr.splitlines()[-1] == f"unreadable: letter: {table['letter']['reason']}"


def test_an_audit_is_told_as_json_alone(slides: Path, half: Path, tmp_path: Path) -> None:
    result = wsi_scale(
        "magnification", "audit", slides / "twice.tiff", "-o", tmp_path / "a", "--regressor", half, "--json"
    )

    assert result.exit_code == ExitCode.FLAGGED
    told = json.loads(result.stdout)
    assert [(row["slide_id"], row["flag"]) for row in told["slides"]] == [("twice", "off_2x")]
    assert told["counts"] == {"off_2x": 1}
    assert told["page"] == str(tmp_path / "a" / "audit.html")


def test_the_page_shows_every_slide_and_what_cannot_be_read(slides: Path, half: Path, tmp_path: Path) -> None:
    wsi_scale("magnification", "audit", slides, "-o", tmp_path / "a", "--regressor", half)

    page = html.unescape((tmp_path / "a" / "audit.html").read_text(encoding="utf-8"))
    table = audit_table(tmp_path / "a")
    for slide_id, row in table.items():
        assert f"<h3>{slide_id}</h3>" in page or row["flag"] == "unreadable"
        assert row["reason"] in page
    assert page.index("<h3>ten</h3>") < page.index("<h3>twice</h3>") < page.index("<h3>right</h3>")
    assert "<b>letter</b>: " in page
    # Tiles of 160 px at 0.5 µm/px hold a bar of 20 µm; by a claim of twice that it is half as long.
    twice = page[page.index("<h3>twice</h3>") :].split("</article>")[0]
    assert 'style="width: 20.0px"></i>20 µm by the claim' in twice
    assert 'style="width: 40.0px"></i>20 µm by the estimate' in twice


def test_an_audit_of_slides_that_agree_exits_0(slides: Path, half: Path, tmp_path: Path) -> None:
    result = wsi_scale("magnification", "audit", slides / "right.tiff", "-o", tmp_path / "a", "--regressor", half)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"0 of 1 slide flagged, 1 agrees; see {tmp_path / 'a' / 'audit.html'}"


def test_a_sheet_says_what_it_knows_better_and_the_claim_is_held_against_the_pixels(
    slides: Path, half: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "slides.tsv"
    sheet.write_text(f"slide_id\tpath\tmpp\na\t{slides / 'twice.tiff'}\t0.5\nb\t{slides / 'right.tiff'}\t2\n")

    result = wsi_scale("magnification", "audit", sheet, "-o", tmp_path / "a", "--regressor", half)

    assert result.exit_code == 3
    table = audit_table(tmp_path / "a")
    assert {name: (row["flag"], row["mpp_source"], row["header_mpp"]) for name, row in table.items()} == {
        "a": ("agrees", "override", "1.0"), "b": ("off_2x", "override", "0.5"),
    }  # fmt: skip
    assert table["a"]["reason"].startswith("you gave 0.5 µm/px (the header says 1); estimated from pixels:")
    assert table["b"]["reason"].startswith("you gave 2 µm/px (the header says 0.5), but estimated from pixels:")


def test_what_an_audit_leaves_among_the_slides_is_not_taken_for_slides(
    slides: Path, half: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(slides / "right.tiff", folder)
    (folder / "audit").mkdir()
    shutil.copy(slides / "silent.png", folder / "audit")

    result = wsi_scale("magnification", "audit", folder, "-o", folder / "audit", "--regressor", half)

    assert result.exit_code == 0, result.output
    assert list(audit_table(folder / "audit")) == ["right"]


def test_an_audit_may_leave_its_table_and_page_in_the_folder_of_the_slides(
    slides: Path, half: Path, tmp_path: Path
) -> None:
    shutil.copy(slides / "right.tiff", tmp_path)
    for _ in range(2):
        result = wsi_scale("magnification", "audit", tmp_path, "-o", tmp_path, "--regressor", half)
        assert result.exit_code == 0, result.output
        assert list(audit_table(tmp_path)) == ["right"]


def test_the_same_audit_leaves_the_same_bytes(slides: Path, half: Path, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        wsi_scale("magnification", "audit", slides, "-o", tmp_path / name, "--regressor", half)
        written.append([(tmp_path / name / file).read_bytes() for file in ("audit.tsv", "audit.html")])
    assert written[0] == written[1]


def test_help_names_the_flags_and_the_exit_code() -> None:
    for command, words in (("predict", ("--json", "abstains", "0.2–4")), ("audit", ("exit 3", "off_10x", "mixed"))):
        done = in_child("magnification", command, "--help")
        assert done.returncode == 0
        for word in words:
            assert word in " ".join(done.stdout.replace("│", " ").split()), word


def test_rows_are_written_into_a_table_as_they_are_done(slides: Path, half: Path, tmp_path: Path) -> None:
    table = tmp_path / "new" / "estimates.tsv"
    result = wsi_scale("magnification", "predict", slides, "--regressor", half, "-o", table)

    assert result.exit_code == 1  # one cannot be read
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["path"] for row in rows] == sorted(str(path) for path in slides.iterdir())
    by_name = {Path(row["path"]).name: row for row in rows}
    assert list(rows[0]) == KEYS
    assert float(by_name["right.tiff"]["mpp"]) == pytest.approx(0.5, rel=1e-3)
    assert (by_name["letter.svs"]["mpp"], by_name["letter.svs"]["status"]) == ("", "failed")
    assert result.stderr.splitlines()[-1] == "7 slides: 1 abstained, 1 failed, 5 ok"
    assert result.stdout.splitlines()[-1] == f"estimates: {table}"
    # Written again, and nothing else is.
    quiet = wsi_scale("magnification", "predict", "-q", slides / "right.tiff", "--regressor", half, "-o", table)
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")
    assert len(table.read_text().splitlines()) == 2
    (tmp_path / "mine.tsv").write_text("path\tnotes\n")
    line = error_line(wsi_scale("magnification", "predict", slides, "-o", tmp_path / "mine.tsv"))
    assert line.endswith("mine.tsv exists and is no table of estimates; choose another name with -o")
