"""`wsi-scale config` says what keys mean, and writes a file with all of them."""

import json
from pathlib import Path

from tests.runs import error_line, wsi_scale
from wsi_scale.cli.config import read_by
from wsi_scale.config.keys import config_keys
from wsi_scale.config.load import load_config
from wsi_scale.config.models import Config


def test_a_key_is_explained_with_type_unit_default_and_who_reads_it() -> None:
    said = wsi_scale("config", "--explain", "tiling.tile_px").stdout.splitlines()

    assert said == [
        "tiling.tile_px",
        "  Side of a tile, pixels.",
        "  type     whole number from 64 to 2048",
        "  unit     pixels",
        "  default  224",
        "  read by  tile, search",
    ]


def test_a_section_is_explained_key_by_key_in_json_too() -> None:
    told = json.loads(wsi_scale("config", "--explain", "features", "--json").stdout)

    assert list(told) == ["features.layer", "features.mpps", "features.optimal"]
    assert told["features.mpps"] == {
        "meaning": "µm per pixel of the fields around each tile's centre.",
        "type": "list of: number from 0.05 to 50",
        "unit": "µm per pixel",
        "default": [0.5, 1.0, 2.0],
        "read_by": ["extract"],
    }


def test_every_key_is_read_by_a_command() -> None:
    assert [key.name for key in config_keys() if not read_by(key.name)] == []


def test_an_unknown_key_names_the_nearest() -> None:
    line = error_line(wsi_scale("config", "--explain", "tiling.tile"))
    assert line == "error: unknown key tiling.tile; did you mean tiling.tile_px?"


def test_an_unknown_key_goes_by_section_and_key_alike() -> None:
    assert error_line(wsi_scale("config", "--explain", "tiles.size_px")).endswith("; did you mean tiling.tile_px?")
    assert error_line(wsi_scale("config", "--explain", "tilling")).endswith("; did you mean tiling?")


def test_the_file_with_all_defaults_changes_nothing_and_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"

    assert wsi_scale("config", "--write", file).exit_code == 0

    text = file.read_text(encoding="utf-8")
    assert load_config(file) == Config()
    assert all(f"{key.name.rpartition('.')[2]}: " in text for key in config_keys())
    assert max(map(len, text.splitlines())) <= 110
    file.write_text("mine", encoding="utf-8")
    assert f"{file} exists" in error_line(wsi_scale("config", "--write", file))
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    line = error_line(wsi_scale("config", "--write", tmp_path / "none" / "study.yaml"))
    assert "No such file or directory; choose another place" in line


def test_neither_or_both_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert wsi_scale("config").exit_code == 2
    assert wsi_scale("config", "--explain", "map", "--write", tmp_path / "x").exit_code == 2
