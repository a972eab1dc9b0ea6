"""napari opens a folder of results: slide, map and tiles lie on one another, in µm."""

import re
import time
from pathlib import Path

import napari
import npe2
import numpy as np
import pytest
from napari.qt import get_qapp
from PIL import Image

from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.report.colors import LEAST_CONFIDENCE

TILE_UM = 112.0


def opened(path: Path) -> napari.Viewer:
    """Open as dropping on the window does: by whichever plugin claims it."""
    viewer = napari.Viewer(show=False)
    viewer.open(str(path), plugin="wsi-scale")
    return viewer


def test_slide_map_and_tiles_lie_on_one_another(results: Path) -> None:
    viewer = opened(results)
    tiles, _ = read_tiles(results)
    scale_map, _ = read_scale_map(results)
    grid = tiles.grid
    # Without the slide's name, or the range of the colours.
    layers = {re.split(r" – small| [\d.]+–", layer.name)[0]: layer for layer in viewer.layers}
    outlined = ["regions"] if results.name == "dense" else []
    assert list(layers) == ["small", "optimal mpp", "confidence", "dominant radius", *outlined, "tiles"]
    assert all([str(unit) for unit in layer.units] == ["micrometer", "micrometer"] for layer in viewer.layers)

    # World coordinates of the slide's own corners: (0, 0) and its size in µm.
    slide = layers["small"]
    corners = np.array([slide.data_to_world((-0.5, -0.5)), slide.data_to_world((999.5, 1299.5))])
    np.testing.assert_allclose(corners, [[0, 0], [500, 650]], atol=1e-6)
    for index in range(len(tiles)):
        place = layers["optimal mpp"].data_to_world((tiles.row[index], tiles.col[index]))
        np.testing.assert_allclose(place, layers["tiles"].data[index], atol=0.5)
        expected = (tiles.y[index] * grid.mpp_y + TILE_UM / 2, tiles.x[index] * grid.mpp_x + TILE_UM / 2)
        np.testing.assert_allclose(place, expected, atol=0.5)
    sure = scale_map.confidence >= LEAST_CONFIDENCE
    np.testing.assert_array_equal(layers["optimal mpp"].data, np.where(sure, scale_map.optimal_mpp, np.nan))
    np.testing.assert_array_equal(layers["confidence"].data, scale_map.confidence)
    told = layers["tiles"].features
    np.testing.assert_array_equal(told["dominant_radius_um"], scale_map.dominant_radius_um[tiles.row, tiles.col])
    assert ("region" in told) == (results.name == "dense")
    viewer.close()


def test_the_slide_is_shown_with_its_own_pixels(results: Path) -> None:
    viewer = opened(results)
    slide = np.asarray(viewer.layers[0].data[0])
    assert slide.shape == (1000, 1300, 3)
    assert 100 < slide.mean() < 220
    viewer.close()


def test_a_screenshot_shows_the_map_where_the_tiles_are(results: Path, pictures: Path) -> None:
    viewer = opened(results)
    viewer.scale_bar.visible = True
    optimal = viewer.layers[1]
    optimal.colorbar.visible = True
    viewer.window.show()
    for _ in range(20):  # a window takes its size, and its canvas the window's, only as events are handled
        viewer.window.resize(1100, 800)
        get_qapp().processEvents()
        time.sleep(0.02)
    viewer.reset_view()
    Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).save(pictures / f"napari-{results.name}.png")
    optimal.colorbar.visible = False
    shown = viewer.screenshot(flash=False)
    optimal.visible = False
    hidden = viewer.screenshot(flash=False)
    changed = np.argwhere(np.abs(shown[..., :3].astype(int) - hidden[..., :3]).sum(axis=2) > 30)
    # On the screen the map has the shape that its answers have on the grid, hole and corners included.
    answered = np.argwhere(np.isfinite(optimal.data))
    places = np.ptp(answered, axis=0) + 1
    drawn = np.ptp(changed, axis=0) + 1
    assert drawn[1] / drawn[0] == pytest.approx(places[1] / places[0], rel=0.02)
    side = drawn[1] / places[1]
    assert len(changed) / side**2 == pytest.approx(len(answered), rel=0.1)
    viewer.close()


def test_a_scale_map_alone_opens_too(made: Path) -> None:
    viewer = opened(made / "plain" / "scale.ome.zarr")
    assert [layer.name.partition(" 0")[0] for layer in viewer.layers][:2] == ["optimal mpp", "confidence"]
    assert [layer.metadata["slide"] for layer in viewer.layers] == ["plain"] * 3
    viewer.close()


@pytest.mark.parametrize("name", ["small.tiff", "small.ome.zarr", "", "plain/features.zarr"])
def test_what_is_no_result_is_left_to_other_readers(made: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a compatible reader|but refused the file"):
        npe2.read([str(made / name)], plugin_name="wsi-scale", stack=False)
