"""Regions as QuPath exports them: what is outlined, how it is called, and which tiles lie in it."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from wsi_scale.errors import UserError
from wsi_scale.slides import Thumbnail
from wsi_scale.slides.regions import Region, draw_regions, read_regions, regions_of_tiles

#: A slide of 800 × 600 px, whose thumbnail shows 4 × 4 px as one.
THUMBNAIL = Thumbnail(np.zeros((150, 200, 3), np.uint8), 4.0, 4.0)


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def feature(coordinates: Any, kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": "b5cb6a4e-1c21-4c5e-9c0b-0f5bd1f5f0a1",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"objectType": "annotation", **properties},
    }


def written(folder: Path, content: Any) -> Path:
    path = folder / "regions.geojson"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def test_a_region_is_called_by_its_name_else_its_class_else_its_number(tmp_path: Path) -> None:
    tumor = {"name": "Tumor", "color": [200, 0, 0]}
    square = [box(0, 0, 40, 40)]
    path = written(
        tmp_path,
        collection(
            feature(square, name="core A", classification=tumor),
            feature(square, classification=tumor),
            feature(square, classification={"names": ["Immune cells", "Positive"]}),
            feature(square),
        ),
    )
    assert [(region.name, region.label) for region in read_regions(path)] == [
        ("core A", "Tumor"), ("Tumor", "Tumor"), ("Immune cells: Positive", "Immune cells: Positive"), ("region 4", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", ["collection", "list", "feature"])
def test_every_way_in_which_qupath_writes_annotations_is_read(tmp_path: Path, shape: str) -> None:
    one = feature([box(0, 0, 40, 40)], name="A")
    content = {"collection": collection(one), "list": [one], "feature": one}[shape]
    assert [region.name for region in read_regions(written(tmp_path, content))] == ["A"]


def test_cells_tiles_points_and_missing_cores_are_no_regions_and_children_are(tmp_path: Path) -> None:
    square = [box(0, 0, 40, 40)]
    path = written(
        tmp_path,
        collection(
            feature(square, objectType="cell"),
            feature(square, objectType="tile"),
            feature([3, 4], "Point", name="point"),
            feature(square, objectType="tmaCore", name="lost", isMissing=True),
            feature(square, objectType="tmaCore", name="A-1", childObjects=[feature(square, name="inside")]),
        ),
    )
    assert [region.name for region in read_regions(path)] == ["A-1", "inside"]


def test_holes_and_parts_are_drawn_with_their_true_areas(tmp_path: Path) -> None:
    ring = [box(40, 40, 240, 240), box(80, 80, 200, 200)]
    parts = [[box(400, 0, 440, 40)], [box(400, 400, 480, 440)]]
    path = written(tmp_path, collection(feature(ring, name="ring"), feature(parts, "MultiPolygon", name="two")))
    number = draw_regions(path, read_regions(path), THUMBNAIL).number
    assert (number == 1).sum() * 16 == pytest.approx(200**2 - 120**2, rel=0.04)
    assert (number == 2).sum() * 16 == pytest.approx(40 * 40 + 80 * 40, rel=0.04)
    assert number[35, 35] == 0
    assert number[15, 15] == 1
    assert (number[5, 105], number[105, 110]) == (2, 2)


def test_where_regions_overlap_the_smaller_one_counts_whatever_their_order(tmp_path: Path) -> None:
    outer, inner = feature([box(0, 0, 400, 400)], name="lobe"), feature([box(100, 100, 200, 200)], name="duct")
    for features in ((outer, inner), (inner, outer)):
        path = written(tmp_path, collection(*features))
        mask = draw_regions(path, read_regions(path), THUMBNAIL)
        assert mask.regions[mask.number[37, 37] - 1].name == "duct"
        assert mask.regions[mask.number[5, 5] - 1].name == "lobe"


def test_a_tile_is_of_the_region_that_most_of_its_tissue_lies_in(tmp_path: Path) -> None:
    left, right = (
        feature([box(0, 0, 100, 600)], name="left", classification={"name": "Stroma"}),
        feature([box(100, 0, 300, 600)], name="right"),
    )
    path = written(tmp_path, collection(left, right))
    mask = draw_regions(path, read_regions(path), THUMBNAIL)
    # Tiles of 80 px beside one another, in pixels of the thumbnail; the last touches neither.
    corners = np.array([[20 * n, 0, 20 * (n + 1), 20] for n in (0, 1, 2, 5)], float)
    name, label = regions_of_tiles(mask, corners, np.ones((150, 200), np.bool_))
    assert name.tolist() == ["left", "right", "right", ""]
    assert label.tolist() == ["Stroma", "", "", ""]
    only_left = np.arange(200)[None, :].repeat(150, 0) < 25
    assert regions_of_tiles(mask, corners, only_left)[0].tolist() == ["left", "left", "", ""]


def test_a_region_that_reaches_over_the_edge_of_the_slide_is_cut_there(tmp_path: Path) -> None:
    path = written(tmp_path, collection(feature([box(-500, -500, 40, 40)]), feature([box(780, 580, 5000, 5000)])))
    number = draw_regions(path, read_regions(path), THUMBNAIL).number
    assert (number == 1).sum() == pytest.approx(100, abs=1)
    assert (number == 2).sum() == pytest.approx(25, abs=1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "is not GeoJSON"),
        ('{"type": "Topology"}', "neither FeatureCollection nor Feature"),
        ('{"type": "FeatureCollection"}', "is not GeoJSON"),
        ('{"type": "FeatureCollection", "features": [5]}', "is not GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "no region is outlined"),
        (json.dumps(collection(feature([[[0, 0], [1, 1]]], name="line"))), "outline of 'line'"),
        (json.dumps(collection(feature([[[0, 0], [1, "x"], [4, 4]]]))), "is not GeoJSON"),
        (json.dumps(collection(feature([box(0, 0, 1e300, 40)]))), "a corner that is no pixel"),
        (json.dumps(collection(feature([box(0, 0, float("nan"), 40)]))), "a corner that is no pixel"),
        (json.dumps(collection(feature([], name="empty"))), "'empty' has no outline"),
    ],
)
def test_what_outlines_nothing_is_told_in_one_line_with_the_file(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "regions.geojson"
    path.write_text(content)
    with pytest.raises(UserError, match=said) as error:
        draw_regions(path, read_regions(path), THUMBNAIL)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_regions_of_another_slide_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, collection(feature([box(10_000, 10_000, 20_000, 20_000)])))
    with pytest.raises(UserError, match=r"none of its regions lies on the slide \(800x600 px\)"):
        draw_regions(path, read_regions(path), THUMBNAIL)


@given(st.lists(st.tuples(st.floats(-80, 900), st.floats(-80, 700)), min_size=3, max_size=30))
def test_any_outline_is_filled_as_scikit_image_fills_it(corners: list[tuple[float, float]]) -> None:
    ring = np.array(corners)
    drawn = draw_region(ring)
    expected = polygon2mask(drawn.shape, (ring / 4 - 0.5)[:, ::-1])
    # Only centres that lie on the outline itself may go either way.
    assert (drawn != expected).sum() <= 4


def draw_region(ring: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Draw one outline; all False where none of it lies on the slide."""
    try:
        return draw_regions(Path("a.geojson"), (Region("a", "", ((ring,),)),), THUMBNAIL).number > 0
    except UserError:
        return np.zeros((150, 200), np.bool_)


def test_an_outline_of_many_corners_takes_no_minutes() -> None:
    angles = np.linspace(0, 2 * np.pi, 100_000)
    ring = (400, 300) + 250 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    begin = time.monotonic()
    assert draw_region(ring).sum() * 16 == pytest.approx(np.pi * 250**2, rel=0.01)
    assert time.monotonic() - begin < 10
