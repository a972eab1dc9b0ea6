"""What goes to QuPath and comes from it, without QuPath: polygons, and the script of the documentation."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tree_sitter
import tree_sitter_groovy

from tests.interop.make_results import REGIONS
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.results.scale_map import CHANNELS
from wsi_scale.slides import Thumbnail
from wsi_scale.slides.regions import draw_regions, read_regions

SCRIPT = Path("docs/qupath/color_tiles.groovy")


def parsed(source: bytes) -> tree_sitter.Tree:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language())).parse(source)


def test_the_script_is_groovy_and_names_measurements_that_tiles_have() -> None:
    source = SCRIPT.read_bytes()
    assert not parsed(source).root_node.has_error
    assert parsed(source.replace(b"def tiles =", b"def tiles = (")).root_node.has_error
    (named,) = [line for line in source.decode().splitlines() if line.startswith("// One of: ")]
    assert set(named.removeprefix("// One of: ").split(", ")) == set(CHANNELS)
    (chosen,) = [line for line in source.decode().splitlines() if line.startswith("def measurement = ")]
    assert chosen.split('"')[1] in CHANNELS


def test_shapely_reads_tiles_as_valid_polygons_where_the_map_has_their_values(results: Path) -> None:
    features = json.loads((results / "tiles.geojson").read_text())["features"]
    tiles, _ = read_tiles(results)
    scale_map, _ = read_scale_map(results)
    shapes = shapely.from_geojson([json.dumps(feature["geometry"]) for feature in features])
    assert shapely.is_valid(shapes).all()
    np.testing.assert_allclose(shapely.area(shapes), 224 * 224)
    centers = np.stack([shapely.get_x(shapely.centroid(shapes)), shapely.get_y(shapely.centroid(shapes))], axis=1)
    np.testing.assert_allclose(centers, tiles.centers())
    radius = scale_map.dominant_radius_um[tiles.row, tiles.col]
    told = [feature["properties"]["measurements"].get("dominant_radius_um", np.nan) for feature in features]
    np.testing.assert_allclose(told, radius, atol=1e-5)


def test_tiles_are_of_the_region_that_shapely_finds_most_of_them_in(made: Path) -> None:
    tiles, _ = read_tiles(made / "dense")
    boxes = shapely.box(tiles.x, tiles.y, tiles.x + 224, tiles.y + 224)
    shared = [shapely.area(shapely.intersection(boxes, shapely.box(*corners))) for _, _, *corners in REGIONS]
    names, labels = (np.array([region[index] for region in REGIONS]) for index in (0, 1))
    clear = np.abs(shared[0] - shared[1]) > 0.1 * 224 * 224
    assert clear.sum() > 50
    assert tiles.region is not None
    assert tiles.region_class is not None
    np.testing.assert_array_equal(tiles.region[clear], names[np.argmax(shared, axis=0)][clear])
    np.testing.assert_array_equal(tiles.region_class[clear], labels[np.argmax(shared, axis=0)][clear])
    assert (np.sum(shared, axis=0) > 0.4 * 224 * 224).all()


@pytest.mark.parametrize("seed", range(5))
def test_outlines_are_drawn_with_the_area_that_shapely_gives_them(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radii = rng.uniform(100, 380, 40)
    star = shapely.Polygon(np.stack([500 + radii * np.cos(angles), 400 + radii * np.sin(angles)], axis=1))
    hole = shapely.Point(500, 400).buffer(60)
    outline = star.difference(hole)
    (tmp_path / "a.geojson").write_text(
        json.dumps({"type": "Feature", "geometry": json.loads(shapely.to_geojson(outline))})
    )
    thumbnail = Thumbnail(np.zeros((400, 500, 3), np.uint8), 2.0, 2.0)
    drawn = draw_regions(tmp_path / "a.geojson", read_regions(tmp_path / "a.geojson"), thumbnail).number > 0
    assert drawn.sum() * 4 == pytest.approx(outline.area, rel=0.02)
    ys, xs = np.nonzero(drawn)
    inside = shapely.contains_xy(outline.buffer(3), 2 * xs + 1, 2 * ys + 1)
    assert inside.all()
