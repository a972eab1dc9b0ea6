"""Tiles as QuPath takes them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsi_scale.artifacts.geojson import write_geojson
from wsi_scale.results.scale_map import CHANNELS, REASON_COLORS, Reason, ScaleMap
from wsi_scale.results.tiles import TileTable


@pytest.fixture
def written(tmp_path: Path, tile_table: TileTable, answered: ScaleMap) -> dict[str, Any]:
    """The tiles of a slide as GeoJSON."""
    write_geojson(tmp_path, tile_table, answered)
    return json.loads((tmp_path / "tiles.geojson").read_text(encoding="utf-8"))


def test_it_is_a_collection_of_one_tile_object_a_tile(written: dict[str, Any], tile_table: TileTable) -> None:
    assert written["type"] == "FeatureCollection"
    assert len(written["features"]) == len(tile_table)
    for feature in written["features"]:
        assert feature["type"] == "Feature"
        assert feature["properties"]["objectType"] == "tile"
        assert feature["geometry"]["type"] == "Polygon"


def test_each_polygon_is_the_tile_on_level_0_closed(written: dict[str, Any], tile_table: TileTable) -> None:
    for index, feature in enumerate(written["features"]):
        (ring,) = feature["geometry"]["coordinates"]
        corners = np.array(ring)
        assert corners.shape == (5, 2)
        np.testing.assert_array_equal(corners[0], corners[-1])
        np.testing.assert_array_equal(corners.min(axis=0), [tile_table.x[index], tile_table.y[index]])
        # 112 µm on pixels of 0.25 by 0.251 µm.
        np.testing.assert_allclose(np.ptp(corners, axis=0), [112 / 0.25, 112 / 0.251], atol=0.01)


def test_a_tile_without_an_answer_has_its_reason_as_its_class(
    written: dict[str, Any], tile_table: TileTable, answered: ScaleMap
) -> None:
    for index, feature in enumerate(written["features"]):
        reason = Reason(answered.reason[tile_table.row[index], tile_table.col[index]])
        if reason == Reason.ANSWERED:
            assert "classification" not in feature["properties"]
        else:
            classified = feature["properties"]["classification"]
            assert classified == {"name": reason.name.lower(), "color": list(REASON_COLORS[reason])}


def test_measurements_are_the_map_and_leave_out_what_has_no_answer(
    written: dict[str, Any], tile_table: TileTable, answered: ScaleMap
) -> None:
    unanswered = 0
    for index, feature in enumerate(written["features"]):
        measurements = feature["properties"]["measurements"]
        values = answered.image[:, tile_table.row[index], tile_table.col[index]]
        expected = {
            name: pytest.approx(float(value), abs=1e-5)
            for name, value in zip(CHANNELS, values, strict=True)
            if np.isfinite(value)
        }
        assert measurements == expected
        unanswered += len(expected) < 3
    assert unanswered == 1


def test_the_region_of_a_tile_is_in_its_metadata(tmp_path: Path, tile_table: TileTable, answered: ScaleMap) -> None:
    names = np.array(["A" if n % 2 else "" for n in range(len(tile_table))])
    labels = np.full(len(names), "Tumor")
    write_geojson(tmp_path, replace(tile_table, region=names, region_class=labels), answered)
    content = json.loads((tmp_path / "tiles.geojson").read_text(encoding="utf-8"))
    told = [feature["properties"]["metadata"] for feature in content["features"]]
    assert told == [
        {"region_class": "Tumor"} if not name else {"region": name, "region_class": "Tumor"} for name in names
    ]
