"""Stage `search`: the map follows what was planted, and lies where the tiles lie."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs import MPP, RADII_UM, configured, draw, job
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.settings import CalibrateSettings, SearchSettings, TileSettings
from wsi_scale.networks.load import find_network
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.scale.optimum import interior_optimum
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import write_pyramid


@pytest.fixture(scope="module")
def scale_map(finished: Path) -> ScaleMap:
    return read_scale_map(finished)[0]


def test_nuclei_twice_as_large_have_twice_the_optimal_mpp(scale_map: ScaleMap) -> None:
    optimal = scale_map.image[0]

    # The middle column holds both.
    left, right = np.nanmedian(optimal[:, :2]), np.nanmedian(optimal[:, 3:])

    assert np.isfinite(optimal[:, [0, 1, 3, 4]]).mean() >= 0.9
    assert np.log2(right / left) == pytest.approx(np.log2(RADII_UM[1] / RADII_UM[0]), abs=0.25)


def test_the_radius_is_that_of_the_nuclei_in_micrometres_and_follows_the_optimal_mpp(scale_map: ScaleMap) -> None:
    radius = scale_map.dominant_radius_um
    found = [float(np.nanmedian(np.log2(part))) for part in (radius[:, :2], radius[:, 3:])]

    assert found == pytest.approx(np.log2(RADII_UM), abs=0.2)
    np.testing.assert_array_equal(np.isnan(radius), np.isnan(scale_map.optimal_mpp))
    np.testing.assert_allclose(scale_map.optimal_mpp, radius * scale_map.attributes["optimal_mpp_per_um"], rtol=1e-6)


def test_the_embedded_network_is_what_an_unconfigured_search_uses(scale_map: ScaleMap) -> None:
    source = find_network("embedded")
    layers = source.architecture.search_layers

    assert scale_map.attributes["network_digest"] == source.tapped(layers).digest
    assert scale_map.attributes["method"] == "covariant"
    assert set(scale_map.attributes["layers"]) == set(layers)


def test_the_map_answers_where_tiles_lie_and_nowhere_else(small_slide: Path, tmp_path: Path, own_cache: Path) -> None:
    this = job(small_slide, tmp_path)
    # A mask of the left column and one more tile.
    own = np.zeros((100, 130), np.uint8)
    own[:, :22] = own[:22, 66:90] = 1
    config = configured(f"tissue.mask={_saved(own, tmp_path)}", "tiling.min_tissue=0.5")
    inspect(this)
    tile(this, TileSettings.of(config))
    search(this, SearchSettings.of(config), calibrate(CalibrateSettings.of(config)))

    tiles, _ = read_tiles(tmp_path)
    found, _ = read_scale_map(tmp_path)
    has_tile = np.zeros((4, 5), bool)
    has_tile[tiles.row, tiles.col] = True
    assert has_tile.sum() == 5
    assert np.isnan(found.image[0][~has_tile]).all()
    assert np.isnan(found.image[1][~has_tile]).all()
    assert np.isfinite(found.image[1][has_tile]).all()
    assert ((found.image[1][has_tile] >= 0) & (found.image[1][has_tile] <= 1)).all()
    np.testing.assert_allclose(found.image[2][has_tile], tiles.tissue_fraction, rtol=1e-5)
    for curve in found.curves.values():
        assert np.isnan(curve[~has_tile]).all()
    assert (found.reason[~has_tile] == Reason.GLASS).all()
    assert not (found.reason[has_tile] == Reason.GLASS).any()
    np.testing.assert_array_equal(found.reason == Reason.ANSWERED, np.isfinite(found.image[0]))


def test_what_the_curves_show_peaks_where_the_map_says(scale_map: ScaleMap) -> None:
    log2_mpp = np.log2(scale_map.rung_mpp)
    said = np.log2(scale_map.image[0])

    for curve in scale_map.curves.values():
        away = np.abs(interior_optimum(curve, log2_mpp) - said)
        assert np.nanmedian(away) < 1 / 3


def test_rungs_finer_than_level_0_are_marked_and_still_finer_ones_have_no_answer(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "coarse.tiff", draw(5.0, 240, 240), 0.8)
    this = job(tmp_path / "coarse.tiff", tmp_path / "out")
    config = configured("tiling.mpp=0.8", "tiling.tile_px=160", "tissue.method=none")
    inspect(this)
    tile(this, TileSettings.of(config))
    search(this, SearchSettings.of(config), calibrate(CalibrateSettings.of(config)))

    found, _ = read_scale_map(this.folder)
    rungs = found.rung_mpp
    assert rungs[0] == pytest.approx(0.25, rel=0.03)
    assert found.rung_interpolated.tolist() == (rungs < 0.8).tolist()
    for curve in found.curves.values():
        assert np.isnan(curve[0, 0, rungs < 0.39]).all()
        assert np.isfinite(curve[0, 0]).any()


def test_the_tiles_for_qupath_hold_the_maps_values(finished: Path, scale_map: ScaleMap) -> None:
    tiles, _ = read_tiles(finished)
    content = json.loads((finished / "tiles.geojson").read_text())

    assert len(content["features"]) == len(tiles) == 20
    for feature, row, col, x, y in zip(content["features"], tiles.row, tiles.col, tiles.x, tiles.y, strict=True):
        assert feature["properties"]["objectType"] == "tile"
        assert feature["geometry"]["coordinates"][0][0] == [x, y]
        assert feature["geometry"]["coordinates"][0][2] == [x + 224, y + 224]
        value = scale_map.image[0, row, col]
        if np.isfinite(value):
            assert feature["properties"]["measurements"]["optimal_mpp"] == pytest.approx(value, rel=1e-4)
            radius = scale_map.dominant_radius_um[row, col]
            assert feature["properties"]["measurements"]["dominant_radius_um"] == pytest.approx(radius, rel=1e-4)
        else:
            assert "optimal_mpp" not in feature["properties"]["measurements"]


def _saved(mask: np.ndarray, folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(mask).save(folder / "own.png")
    return folder / "own.png"


def test_the_map_lies_on_the_slide_in_micrometres(finished: Path) -> None:
    attributes = json.loads((finished / "scale.ome.zarr" / "zarr.json").read_text())["attributes"]
    (multiscale,) = attributes["ome"]["multiscales"]
    scale, translation = multiscale["datasets"][0]["coordinateTransformations"]

    step = 224 * MPP
    assert scale["scale"][1:] == [step, step]
    assert translation["translation"][1:] == [step / 2, step / 2]
