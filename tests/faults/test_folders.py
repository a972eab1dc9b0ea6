"""Folders as file servers, cameras and earlier runs leave them: no entry costs the others."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.dicom import write_dicom
from tests.planted import write_planted
from tests.runs import MPP, draw, error_line, in_child, wsi_scale
from wsi_scale.slides.sheet import slides_of
from wsi_scale.synthesis import write_pyramid

#: A terminal that shows what is no text as escapes, which JSON has too.
ESCAPES = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
#: Why a place cannot be a slide → what is put there.
LOST = {"dead": "it is a link to", "batch2": "it is a link to", "pipe": "a pipe, device or socket is not a slide",
        "letter": "not a known slide or image format", "scan": "none of its"}  # fmt: skip


@pytest.fixture(scope="module")
def regressor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor that takes every slide for 0.5 µm/px."""
    return write_planted(tmp_path_factory.mktemp("planted"), MPP)


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sound slides, one with a name that is no text, and five places that only look like slides."""
    folder = tmp_path_factory.mktemp("messy")
    write_pyramid(folder / "good.tiff", draw(3.0, 180, 180), MPP)
    shutil.copy(folder / "good.tiff", folder / os.fsdecode(b"Gewebe-\xe4.tiff"))
    (folder / "dead.svs").symlink_to(folder / "unplugged.svs")
    (folder / "batch2").symlink_to(folder / "unplugged")
    os.mkfifo(folder / "pipe.svs")
    (folder / "letter.svs").write_text("Dear colleague\n" * 20)
    (folder / "scan").mkdir()
    write_dicom(folder / "scan" / "IM0001", "1.2.3")
    (folder / "@eaDir").mkdir()
    shutil.copy(folder / "good.tiff", folder / "@eaDir")
    return folder


def table(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a table by their slide; it must be UTF-8."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["slide_id"]: row for row in csv.DictReader(stream, delimiter="\t")}


@pytest.mark.long
@pytest.mark.timeout(120)
def test_prediction_answers_everybody_it_can_and_names_the_others(messy: Path, regressor: Path) -> None:
    done = in_child("magnification", "predict", "--json", messy, "--regressor", regressor, env=os.environ | ESCAPES)

    assert done.returncode == 1, done.stderr
    answers = json.loads(done.stdout)
    assert str(messy / os.fsdecode(b"Gewebe-\xe4.tiff")) in {row["path"] for row in answers}
    rows = {Path(row["path"]).stem: row for row in answers}
    assert {name for name, row in rows.items() if row["status"] == "failed"} == set(LOST)
    assert {name: row["mpp"] for name, row in rows.items() if name not in LOST} == pytest.approx(
        dict.fromkeys(set(rows) - set(LOST), MPP), rel=1e-3
    )
    for name, reason in LOST.items():
        assert reason in rows[name]["reason"]
        assert "\n" not in rows[name]["reason"]


@pytest.mark.timeout(120)
def test_an_audit_judges_everybody_it_can_and_names_the_others(messy: Path, regressor: Path, tmp_path: Path) -> None:
    result = wsi_scale("magnification", "audit", messy, "-o", tmp_path, "--regressor", regressor)

    assert result.exit_code == 1, result.output
    rows = table(tmp_path / "audit.tsv")
    judged = {slide_id for slide_id, row in rows.items() if row["mpp"]}
    assert judged == {"good", "Gewebe-_"}
    assert rows["Gewebe-_"]["path"].startswith(f"{messy}/Gewebe-")
    for reason in LOST.values():
        assert reason in result.output


@pytest.mark.timeout(120)
def test_a_sheet_names_everybody_that_it_can_and_reads_back(messy: Path, tmp_path: Path) -> None:
    result = wsi_scale("sheet", messy, "-o", tmp_path / "slides.tsv")

    assert result.exit_code == 1, result.output
    left_out = [line for line in result.stderr.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 3
    rows = {row.slide_id: row.path for row in slides_of(tmp_path / "slides.tsv")}
    assert set(rows) == {"good", "Gewebe-_", "letter", "scan"}
    assert rows["Gewebe-_"].exists()


def test_several_sources_one_of_them_missing(messy: Path, regressor: Path, tmp_path: Path) -> None:
    sources = (messy / "good.tiff", tmp_path / "none.svs", messy / "dead.svs", messy / "good.tiff")
    result = wsi_scale("magnification", "predict", "--json", *sources, "--regressor", regressor)

    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [row["path"] for row in rows] == [str(source) for source in sources]
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "ok"]
    assert "there is no such file or folder" in rows[1]["reason"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "command", ["inspect {}", "inspect {} -o {}.out", "run {} -o {}.out", "magnification predict {}"]
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_in_one_line(tmp_path: Path, command: str, kind: str) -> None:
    place = tmp_path / "a.svs"
    os.mkfifo(place) if kind == "pipe" else place.symlink_to("/dev/zero")

    result = wsi_scale(*(part.replace("{}", str(place)) for part in command.split()))

    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if "a pipe, device or socket is not a slide" in line]
    assert len(lines) == 1, result.output


def test_a_dead_link_given_alone_says_where_it_led(tmp_path: Path) -> None:
    (tmp_path / "a.svs").symlink_to("/mnt/unplugged/a.svs")
    line = error_line(wsi_scale("run", tmp_path / "a.svs", "-o", tmp_path / "out"))
    assert "it is a link to /mnt/unplugged/a.svs, which cannot be read" in line


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_slide_whose_name_is_no_text_goes_through_every_stage(messy: Path, tmp_path: Path) -> None:
    slide = messy / os.fsdecode(b"Gewebe-\xe4.tiff")

    small = ("--set", "tiling.tile_px=128")
    done = in_child("run", slide, "-o", tmp_path / "slides" / "Gewebe-_", *small, limit_s=300, env=os.environ | ESCAPES)

    assert done.returncode == 0, done.stderr
    assert wsi_scale("report", tmp_path).exit_code == 0
    assert table(tmp_path / "status.tsv")["Gewebe-_"]["status"] == "ok"
    assert "Gewebe-_" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_pipe_among_dicom_files_blocks_nobody(tmp_path: Path) -> None:
    write_dicom(tmp_path / "scan.dcm", "1.2.3")
    os.mkfifo(tmp_path / "IM0002")

    done = in_child("inspect", tmp_path, limit_s=60)

    assert done.returncode == 1
    assert "IM0002: a pipe, device or socket among DICOM files stops their reader" in done.stderr
