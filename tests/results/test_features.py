"""Features with their tiles, labelled for xarray and AnnData."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from wsi_scale.errors import ConfigError
from wsi_scale.results.features import TileFeatures
from wsi_scale.results.tiles import TileGrid, TileTable

GRID = TileGrid(2, 3, 224, 0.5, 112.0, 3000, 2000, 0.25, 0.25, "metadata")


def features(*mpps: float) -> TileFeatures:
    """Make features of two tiles, four channels; the second tile has no optimal mpp."""
    row, col = np.array([0, 1], np.int32), np.array([2, 0], np.int32)
    table = TileTable(GRID, row, col, col.astype(np.int64) * 448, row.astype(np.int64) * 448, np.ones(2, np.float32))
    optimal = np.array([[1, 2, 3, 4], [np.nan] * 4], np.float32)
    values = np.arange(2 * len(mpps) * 4, dtype=np.float32).reshape(2, len(mpps), 4)
    said = {"network": "embedded", "layer": "C3_2", "execution": {"device": "cpu"}}
    return TileFeatures(values, optimal, np.array(mpps), np.zeros((2, len(mpps)), np.float32), said, table, None)


def test_each_mpp_has_its_place_in_anndata() -> None:
    table = features(0.5, 1.0).to_anndata()
    np.testing.assert_array_equal(table.X, table.obsm["X_0.5"])
    np.testing.assert_array_equal(table.obsm["X_1"][1], [12, 13, 14, 15])
    assert list(table.obs_names) == ["0_2", "1_0"]
    # Tiles of 448 px; scanpy and squidpy draw them about these points.
    np.testing.assert_array_equal(table.obsm["spatial"], [[896 + 224, 224], [224, 448 + 224]])
    assert table.obs[["x", "y"]].to_numpy().tolist() == [[896, 0], [0, 448]]
    assert table.uns["wsi_scale"] == {"network": "embedded", "layer": "C3_2"}  # what a file of AnnData can hold


def test_regions_of_tiles_are_told_by_xarray_and_anndata() -> None:
    whole = features(0.5)
    tiles = replace(whole.tiles, region=np.array(["a", "b"]), region_class=np.array(["Tumor", ""]))
    made = replace(whole, tiles=tiles)
    assert made.to_xarray().region.values.tolist() == ["a", "b"]
    assert made.to_anndata().obs[["region", "region_class"]].to_numpy().tolist() == [["a", "Tumor"], ["b", ""]]


def test_without_fixed_mpps_the_optimal_features_are_what_there_is() -> None:
    alone = features()
    np.testing.assert_array_equal(alone.to_anndata().X, alone.features_optimal)
    assert alone.to_xarray().sizes["mpp"] == 0
    assert "mpp: none; at optimal mpp: 1" in repr(alone)


def test_features_are_chosen_by_their_mpp() -> None:
    made = features(0.5, 1.0)
    for mpp, index, field in ((None, 0, 0.5), ("0.5", 0, 0.5), ("1", 1, 1.0), ("1.0", 1, 1.0)):
        values, own = made.at(mpp)
        np.testing.assert_array_equal(values, made.features[:, index])
        assert own == field
    np.testing.assert_array_equal(made.at("optimal")[0], made.features_optimal)
    np.testing.assert_array_equal(features().at()[0], made.features_optimal)
    for wrong in ("0.25", "fine"):
        with pytest.raises(ConfigError, match=f"no features at {wrong} µm/px; choose of 0.5, 1, optimal"):
            made.at(wrong)


def test_without_anndata_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(ConfigError, match=r"pip install 'wsi-scale\[anndata\]'"):
        features(0.5).to_anndata()


def test_without_spatialdata_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    with pytest.raises(ConfigError, match=r"pip install 'wsi-scale\[spatialdata\]'"):
        features(0.5).to_spatialdata()
