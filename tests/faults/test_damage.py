"""Results that were damaged or swapped are told, and a run makes them again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs import MPP, configured, contents, draw, error_line, job, wsi_scale
from wsi_scale.artifacts.features import read_features
from wsi_scale.config.settings import TileSettings
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import write_pyramid

Damage = Callable[[Path], None]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def blank(path: Path) -> None:
    """Keep a file's ends and wipe out its middle."""
    data = bytearray(path.read_bytes())
    data[8 : len(data) // 4] = bytes(len(data) // 4 - 8)
    path.write_bytes(data)


def garble(path: Path) -> None:
    path.write_text("this is something else\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, blank, garble, empty])
def test_a_damaged_table_of_tiles_is_told_by_the_next_stage_and_made_anew_by_a_run(
    small_slide: Path, finished_copy: Path, damage: Damage
) -> None:
    before = contents(finished_copy)
    damage(finished_copy / "tiles.parquet")

    line = error_line(wsi_scale("search", small_slide, "-o", finished_copy))
    assert "tiles.parquet is damaged; run `wsi-scale tile` again" in line

    assert wsi_scale("run", small_slide, "-o", finished_copy).exit_code == 0
    assert contents(finished_copy) == before


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("tissue.png", truncate),
        ("slide.json", garble),
        ("slide.json", empty),
        ("prediction.json", truncate),
        ("tile.json", garble),
        ("search.json", truncate),
        ("extract.json", empty),
        ("scale.ome.zarr/zarr.json", truncate),
        ("scale.ome.zarr/0/c/0/0/0", garble),
        ("scale.ome.zarr/curves/c/0/0/0/0", garble),
        ("features.zarr/zarr.json", garble),
        ("features.zarr/zarr.json", empty),
    ],
)
def test_a_run_makes_anew_what_is_damaged(small_slide: Path, finished_copy: Path, name: str, damage: Damage) -> None:
    before = contents(finished_copy)
    damage(finished_copy / name)

    result = wsi_scale("run", small_slide, "-o", finished_copy)

    assert result.exit_code == 0, result.output
    assert contents(finished_copy) == before


@pytest.mark.parametrize("format_", [None, 1, 3])
@pytest.mark.parametrize("name", ["scale.ome.zarr", "features.zarr"])
def test_a_run_makes_anew_what_has_the_layout_of_another_version(
    small_slide: Path, finished_copy: Path, name: str, format_: int | None
) -> None:
    before = contents(finished_copy)
    told = finished_copy / name / "zarr.json"
    content = json.loads(told.read_text())
    described = content["attributes"]["wsi_scale"]
    described["format"] = format_
    if format_ is None:
        del described["format"]
    told.write_text(json.dumps(content))

    result = wsi_scale("run", small_slide, "-o", finished_copy)

    assert result.exit_code == 0, result.output
    assert contents(finished_copy) == before


@pytest.fixture(scope="module")
def other(shared: Path) -> Path:
    """Results of another slide of the small slide's size."""
    write_pyramid(shared / "other.tiff", draw(3.5, 1000, 1300, seed=8), MPP)
    result = wsi_scale("run", shared / "other.tiff", "-o", shared / "other", "--set", "features.mpps=[0.5]")
    assert result.exit_code == 0, result.output
    return shared / "other"


@pytest.mark.parametrize("name", ["scale.ome.zarr", "tiles.parquet"])
def test_results_of_another_slide_in_this_ones_place_are_told_and_made_anew(
    small_slide: Path, finished_copy: Path, other: Path, name: str
) -> None:
    before = contents(finished_copy)
    swap(other / name, finished_copy / name)

    line = error_line(wsi_scale("extract", small_slide, "-o", finished_copy))
    assert f"{name}" in line
    assert "is damaged; run `wsi-scale" in line

    assert wsi_scale("run", small_slide, "-o", finished_copy).exit_code == 0
    assert contents(finished_copy) == before


def test_features_of_another_slide_are_made_anew(small_slide: Path, finished_copy: Path, other: Path) -> None:
    before = contents(finished_copy)
    swap(other / "features.zarr", finished_copy / "features.zarr")

    result = wsi_scale("extract", small_slide, "-o", finished_copy)

    assert result.exit_code == 0, result.output
    assert contents(finished_copy) == before


def test_a_map_of_other_tiles_is_told(small_slide: Path, finished_copy: Path) -> None:
    this = job(small_slide, finished_copy)
    inspect(this)
    tile(this, TileSettings.of(configured("tiling.tile_px=200")))

    line = error_line(wsi_scale("extract", small_slide, "-o", finished_copy))

    assert "scale.ome.zarr is older than tile.json; run `wsi-scale search` again" in line
    assert len(read_features(finished_copy).features) == 20


def swap(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
