"""`wsi-scale inspect`: stable keys for scripts, readable lines for people."""

import json
from pathlib import Path

import pytest
import tifffile

from tests.runs import MPP, draw, wsi_scale

KEYS = [
    *("slide_id", "path", "vendor", "width", "height", "level_count", "level_downsamples", "objective_power"),
    *(
        "mpp",
        "mpp_x",
        "mpp_y",
        "mpp_source",
        "mpp_doubts",
        "header_mpp",
        "header_source",
        "status",
        "warnings",
        "identity",
        "scanner",
    ),
]


def test_the_keys_are_stable(small_slide: Path) -> None:
    result = wsi_scale("inspect", small_slide, "--json")

    told = json.loads(result.stdout)
    assert list(told) == KEYS
    assert told["slide_id"] == "small"
    assert told["path"] == str(small_slide)
    assert (told["width"], told["height"], told["level_count"]) == (1300, 1000, 3)
    assert told["level_downsamples"] == [1.0, 2.0, 4.0]
    assert (told["mpp"], told["mpp_source"], told["objective_power"]) == (MPP, "tiff", None)
    assert (told["status"], told["warnings"]) == ("ok", [])


def test_an_unreadable_slide_has_the_same_keys_and_exit_1(tmp_path: Path) -> None:
    text = tmp_path / "letter.svs"
    text.write_text("Dear colleague\n" * 20)

    result = wsi_scale("inspect", text, "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert list(told) == KEYS
    assert (told["status"], told["mpp"], told["mpp_source"]) == ("unreadable", None, "missing")


def test_a_missing_mpp_is_null_and_the_warning_says_how_to_give_it(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tiff", draw(3.0, 64, 64), photometric="rgb", metadata=None)

    told = json.loads(wsi_scale("inspect", tmp_path / "plain.tiff", "--json").stdout)

    assert (told["mpp"], told["mpp_source"]) == (None, "missing")
    assert "give it with --mpp (Python: mpp= of open_slide or run) or in the sheet's mpp column" in told["warnings"][0]


def test_a_given_mpp_wins_and_the_contradiction_is_warned_about(small_slide: Path) -> None:
    result = wsi_scale("inspect", small_slide, "--mpp", "0.25", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (told["mpp"], told["mpp_source"]) == (0.25, "override")
    assert (told["header_mpp"], told["header_source"]) == (0.5, "tiff")
    said = "mpp 0.25 µm/px, as given by you, differs from 0.5 in the header (TIFF resolution tags); yours is used"
    assert told["warnings"] == [said]
    assert result.stderr.splitlines() == [f"warning: {said}"]


def test_people_get_a_line_a_key(small_slide: Path) -> None:
    result = wsi_scale("inspect", small_slide)
    lines = result.stdout.splitlines()

    assert [line.split()[0] for line in lines] == [key for key in KEYS if key != "warnings"]
    assert result.stderr == ""
    assert "0.5" in lines[KEYS.index("mpp")]


@pytest.mark.parametrize("name", ["cases/A 12.ome.tiff", "b.v2.svs"])
def test_a_slide_is_called_by_its_name_without_suffix(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"nothing")

    told = json.loads(wsi_scale("inspect", path, "--json").stdout)

    assert told["slide_id"] in ("A 12", "b.v2")
