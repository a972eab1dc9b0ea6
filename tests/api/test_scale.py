"""Tiles, scale maps and features from Python, without a file."""

import copy
import inspect
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import wsi_scale as ws
from tests.runs import MPP, RADII_UM, draw


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    """Two tiles with small nuclei, two with large ones."""
    return np.concatenate([draw(radius, 448, 448) for radius in RADII_UM], axis=1)


@pytest.fixture(scope="module")
def tiles(pixels: NDArray[np.uint8]) -> ws.Tiles:
    return ws.tile_slide(pixels, slide_mpp=MPP, method="none")


@pytest.fixture(scope="module")
def scale_map(pixels: NDArray[np.uint8], tiles: ws.Tiles, own_cache: Path) -> ws.ScaleMap:
    return ws.search_scale(pixels, tiles, workers=1)


def test_an_array_is_searched(tiles: ws.Tiles, scale_map: ws.ScaleMap) -> None:
    assert len(tiles) == 8
    left, right = scale_map.optimal_mpp[:, :2], scale_map.optimal_mpp[:, 2:]
    assert np.median(np.log2(right / left)) == pytest.approx(1, abs=0.25)
    assert scale_map.confidence.shape == (2, 4)
    assert np.isfinite(scale_map.confidence).all()


def test_a_map_is_labelled_and_plotted(scale_map: ws.ScaleMap) -> None:
    data = scale_map.to_xarray()
    assert isinstance(data, xr.Dataset)
    assert data.curves.dims == ("layer", "row", "col", "rung")
    np.testing.assert_allclose(data.x_um, [56, 168, 280, 392])
    np.testing.assert_array_equal(data.optimal_mpp, scale_map.optimal_mpp)
    ax = scale_map.plot()
    assert ax.get_xlabel() == "mm"
    assert ax.images[0].get_extent() == [0, pytest.approx(0.448), pytest.approx(0.224), 0]
    assert "answered: 8 of 8 tiles" in repr(scale_map)


def test_radii_are_those_that_were_drawn_in_micrometres(scale_map: ws.ScaleMap, tiles: ws.Tiles) -> None:
    radius = scale_map.dominant_radius_um
    left, right = np.median(np.log2(radius[:, :2])), np.median(np.log2(radius[:, 2:]))
    assert [left, right] == pytest.approx(np.log2(RADII_UM), abs=0.2)
    per_um = scale_map.attributes["optimal_mpp_per_um"]
    np.testing.assert_allclose(scale_map.optimal_mpp, radius * per_um, rtol=1e-6)
    median = np.median(radius)
    assert f"dominant radius: median {median:.3g} µm" in repr(scale_map)
    data = scale_map.to_xarray()
    assert data.dominant_radius_um.attrs == {"units": "µm", "long_name": "dominant radius"}
    assert data.reason.attrs["flag_meanings"].split()[ws.Reason.NO_OPTIMUM] == "no_optimum"


def test_the_published_method_knows_no_radius(pixels: NDArray[np.uint8], tiles: ws.Tiles) -> None:
    found = ws.search_scale(pixels, tiles, method="published", workers=1)
    assert np.isfinite(found.optimal_mpp).any()
    assert np.isnan(found.dominant_radius_um).all()
    assert "optimal_mpp_per_um" not in found.attributes
    assert "dominant radius" not in repr(found)


def test_any_channel_is_plotted_with_its_unit(scale_map: ws.ScaleMap) -> None:
    figure = Figure()
    image = scale_map.plot(figure.subplots(), channel="dominant_radius_um").images[0]
    np.testing.assert_array_equal(image.get_array(), scale_map.dominant_radius_um)
    assert isinstance(image.norm, LogNorm)
    assert figure.axes[1].get_ylabel() == "dominant radius, µm"
    share = scale_map.plot(Figure().subplots(), channel="confidence", vmin=0, vmax=1).images[0]
    assert not isinstance(share.norm, LogNorm)
    assert share.get_clim() == (0, 1)


def test_reasons_are_counted_without_glass(scale_map: ws.ScaleMap) -> None:
    assert scale_map.unanswered() == {}
    reason = scale_map.reason.copy()
    reason[0] = ws.Reason.GLASS, ws.Reason.NO_OPTIMUM, ws.Reason.NO_OPTIMUM, ws.Reason.UNREADABLE
    some = replace(scale_map, reason=reason)
    assert some.unanswered() == {ws.Reason.UNREADABLE: 1, ws.Reason.NO_OPTIMUM: 2}
    assert "without an answer: 1 unreadable, 2 no_optimum" in repr(some)


def test_a_plot_takes_what_matplotlib_takes(scale_map: ws.ScaleMap) -> None:
    figure = Figure()
    given = figure.subplots()
    ax = scale_map.plot(given, cmap="magma", vmin=0.25, vmax=4, alpha=0.5)
    image = ax.images[0]
    assert ax is given
    assert (image.get_cmap().name, image.get_clim(), image.get_alpha()) == ("magma", (0.25, 4), 0.5)
    assert isinstance(image.norm, LogNorm)
    low, high = scale_map.plot(Figure().subplots()).images[0].get_clim()
    assert scale_map.plot(Figure().subplots(), vmin=0.1).images[0].get_clim() == (0.1, high)
    linear = scale_map.plot(Figure().subplots(), norm=Normalize(0, 3)).images[0]
    assert linear.get_clim() == (0, 3)
    assert 0.2 < low < high < 4


def test_features_name_their_tiles(pixels: NDArray[np.uint8], tiles: ws.Tiles, scale_map: ws.ScaleMap) -> None:
    features = ws.extract_features(pixels, tiles, mpps=[0.5, 1.0], optimal=scale_map, workers=1)
    assert features.features.shape == (8, 2, features.features_optimal.shape[1])
    data, table = features.to_xarray(), features.to_anndata()
    np.testing.assert_array_equal(data.x, tiles.table.x)
    np.testing.assert_array_equal(table.obsm["X_1"], features.features[:, 1])
    np.testing.assert_array_equal(table.obs["optimal_mpp"], scale_map.optimal_mpp.ravel())
    np.testing.assert_array_equal(table.obs["dominant_radius_um"], scale_map.dominant_radius_um.ravel())
    assert set(table.obs["reason"]) == {"answered"}
    assert "tiles: 8" in repr(features)
    alone = ws.extract_features(pixels, tiles, mpps=[0.5], workers=1)
    np.testing.assert_array_equal(alone.features[:, 0], features.features[:, 0])
    assert np.isnan(alone.features_optimal).all()
    assert list(alone.to_anndata().obs) == ["row", "col", "x", "y"]


def test_tiles_show_themselves(tiles: ws.Tiles) -> None:
    assert repr(tiles) == "Tiles(8 of 2 × 4 places, 224 px at 0.5 µm/px)"
    assert "<img" in tiles._repr_html_()


def test_tiles_of_another_slide_are_refused(pixels: NDArray[np.uint8], tiles: ws.Tiles) -> None:
    with pytest.raises(ws.SlideError, match="the tiles are of a slide of 896 × 448 px"):
        ws.search_scale(pixels[:300], tiles)
    with pytest.raises(ws.SlideError, match=r"laid at 0\.5 µm per level-0 pixel, not 0\.25"):
        ws.extract_features(pixels, tiles, mpp=0.25)


def test_tiles_know_their_slide(
    small_slide: Path, tmp_path: Path, pixels: NDArray[np.uint8], tiles: ws.Tiles, scale_map: ws.ScaleMap
) -> None:
    with pytest.raises(ws.SlideError, match="the tiles are of another slide of this size"):
        ws.extract_features(255 - pixels, tiles, mpps=[2.0])
    again = ws.extract_features(pixels.copy(), pickle.loads(pickle.dumps(tiles)), mpps=[2.0], workers=1)
    assert len(again) == 8

    laid = ws.tile_slide(small_slide, tile_px=400, min_tissue=0.0)
    copied = Path(shutil.copy(small_slide, tmp_path / "copy.tiff"))
    with ws.open_slide(copied) as slide:
        assert len(ws.extract_features(slide, laid, mpps=[2.0], workers=1)) == len(laid)
    with ws.open_slide(small_slide) as slide:
        inverted = 255 - slide.read_field(x=0, y=0, width=1300, height=1000, size=(1300, 1000))
    Image.fromarray(inverted).save(tmp_path / "other.png")
    with pytest.raises(ws.SlideError, match=r"other\.png: the tiles are of another slide of this size"):
        ws.search_scale(tmp_path / "other.png", laid)

    image = scale_map.image.copy()
    image[2] /= 2
    with pytest.raises(ws.SlideError, match="the scale map is of other tiles"):
        ws.extract_features(pixels, tiles, optimal=replace(scale_map, image=image))


def test_without_a_tile_or_an_mpp_it_says_so(pixels: NDArray[np.uint8]) -> None:
    glass = np.full_like(pixels, 240)
    empty = ws.tile_slide(glass, slide_mpp=MPP)
    assert (len(empty), empty.reason) == (0, "no tissue found")
    with pytest.raises(ws.SlideError, match="no tile to compute: no tissue found"):
        ws.search_scale(glass, empty)
    with pytest.raises(ws.MppError, match=r"no usable µm per pixel .* \(Python: mpp= of open_slide or run\)"):
        ws.tile_slide(pixels)


def test_a_map_without_an_answer_is_shown_all_the_same(tiles: ws.Tiles, scale_map: ws.ScaleMap) -> None:
    image = scale_map.image.copy()
    image[:2] = np.nan
    empty = replace(scale_map, image=image)
    assert "answered: 0 of 8 tiles" in repr(empty)
    assert "<img" in empty._repr_html_()


def test_results_are_kept_compared_and_copied(tiles: ws.Tiles, scale_map: ws.ScaleMap) -> None:
    assert scale_map == scale_map
    assert {tiles: 1, scale_map: 2}[scale_map] == 2
    for thing in (tiles, scale_map):
        again = pickle.loads(pickle.dumps(thing))
        assert repr(again) == repr(thing)
        assert repr(copy.deepcopy(thing)) == repr(thing)


def test_numbers_of_numpy_are_numbers(pixels: NDArray[np.uint8]) -> None:
    tiles = ws.tile_slide(pixels, slide_mpp=MPP, method="none", tile_px=np.int64(224), mpp=np.float32(0.5))
    assert len(tiles) == 8


def test_none_stands_for_the_default(pixels: NDArray[np.uint8], tiles: ws.Tiles) -> None:
    own = {"slide", "tiles", "slide_mpp", "method", "workers"}
    nothing = [
        dict.fromkeys(name for name in inspect.signature(function).parameters if name not in own)
        for function in (ws.tile_slide, ws.extract_features)
    ]
    again = ws.tile_slide(pixels, slide_mpp=MPP, method="none", **nothing[0])
    assert again.to_dataframe().equals(tiles.to_dataframe())
    features = ws.extract_features(pixels, tiles, workers=1, **nothing[1])
    assert features.mpps.tolist() == [0.5, 1.0, 2.0]


def test_what_does_not_belong_together_is_refused(
    pixels: NDArray[np.uint8], tiles: ws.Tiles, scale_map: ws.ScaleMap
) -> None:
    others = ws.tile_slide(pixels, slide_mpp=MPP, method="none", tile_px=112)
    with pytest.raises(ws.SlideError, match="the scale map is of other tiles"):
        ws.extract_features(pixels, others, optimal=scale_map)
    with pytest.raises(ws.SlideError, match=r"laid at 0\.5 µm per level-0 pixel, not 0\.25"):
        ws.search_scale(ws.open_slide(pixels, mpp=0.25), tiles)
    with pytest.raises(ws.SlideError, match="must be those that tile_slide gives, not TileTable"):
        ws.search_scale(pixels, tiles.table)  # type: ignore[arg-type]
    with pytest.raises(ws.ConfigError, match="there is nothing to extract"):
        ws.extract_features(pixels, tiles, mpps=[])
    with pytest.raises(ws.ConfigError, match="names one µm per pixel twice"):
        ws.extract_features(pixels, tiles, mpps=[1, 1.0])
    with pytest.raises(ws.ConfigError, match=r"search\.layers: it is empty"):
        ws.search_scale(pixels, tiles, layers=[])


def test_tiles_keep_to_regions_and_name_them(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    ring = [[0, 0], [650, 0], [650, 1000], [0, 1000], [0, 0]]
    outlined = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"name": "A"}}
    (tmp_path / "a.geojson").write_text(json.dumps(outlined))
    found = ws.tile_slide(pixels, slide_mpp=MPP, regions=tmp_path / "a.geojson", min_tissue=0.9)
    table = found.to_dataframe()
    assert set(table.region) == {"A"}
    assert table.x.max() + 224 <= 650 + 0.1 * 224
    assert set(ws.extract_features(pixels, found, mpps=[1.0], workers=1).to_anndata().obs.region) == {"A"}
