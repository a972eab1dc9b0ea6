"""The features store."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray

from wsi_scale.artifacts.features import features_fingerprint, read_features, writing_features


def fill(folder: Path, tiles: int, mpps: int, channels: int = 4, block: int = 7) -> tuple[np.ndarray, ...]:
    """Write a store block by block and return what was written."""
    rng = np.random.default_rng(0)
    features = rng.random((tiles, mpps, channels)).astype(np.float32)
    optimal = rng.random((tiles, channels)).astype(np.float32)
    padded = rng.random((tiles, mpps)).astype(np.float32)
    attributes = {"fingerprint": "print", "layer": "C5_4", "tile_px": 224}
    with writing_features(folder, tiles, 0.5 * 2.0 ** np.arange(mpps), channels, attributes) as writer:
        for start in range(0, tiles, block):
            rows = slice(start, min(start + block, tiles))
            writer.put(rows, features[rows], optimal[rows], padded[rows])
    return features, optimal, padded


@pytest.mark.parametrize(("tiles", "mpps"), [(20, 3), (1030, 1), (1, 2), (5, 0), (0, 2)])
def test_features_come_back_bit_by_bit(tmp_path: Path, tiles: int, mpps: int) -> None:
    features, optimal, padded = fill(tmp_path, tiles, mpps)
    read = read_features(tmp_path)
    np.testing.assert_array_equal(read.features, features)
    np.testing.assert_array_equal(read.features_optimal, optimal)
    np.testing.assert_array_equal(read.padded_share, padded)
    np.testing.assert_array_equal(read.mpps, 0.5 * 2.0 ** np.arange(mpps))
    assert read.features.dtype == np.float32
    assert read.attributes == {"fingerprint": "print", "layer": "C5_4", "tile_px": 224}
    assert features_fingerprint(tmp_path) == "print"


def test_xarray_opens_it_with_mpp_as_a_coordinate_and_no_warning(tmp_path: Path) -> None:
    features, optimal, _ = fill(tmp_path, 20, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(tmp_path / "features.zarr").load()
    assert opened["features"].dims == ("tile", "mpp", "channel")
    assert opened["features_optimal"].dims == ("tile", "channel")
    np.testing.assert_array_equal(opened["features"].sel(mpp=1.0).values, features[:, 1])
    np.testing.assert_array_equal(opened["features_optimal"].values, optimal)


def test_rows_that_were_never_put_have_no_answer(tmp_path: Path) -> None:
    with writing_features(tmp_path, 3, np.array([0.5]), 2, {"fingerprint": "print"}) as writer:
        ones = np.ones((1, 1, 2), np.float32)
        writer.put(slice(1, 2), ones, ones[0], ones[..., 0])
    read = read_features(tmp_path)
    assert np.isnan(read.features[[0, 2]]).all()
    assert np.isfinite(read.features[1]).all()


def test_an_error_while_filling_leaves_the_old_store(tmp_path: Path) -> None:
    features, _, _ = fill(tmp_path, 5, 2)
    with (
        pytest.raises(ZeroDivisionError),
        writing_features(tmp_path, 3, np.array([0.5]), 2, {"fingerprint": "other"}),
    ):
        raise ZeroDivisionError
    np.testing.assert_array_equal(read_features(tmp_path).features, features)
    assert [path.name for path in tmp_path.iterdir()] == ["features.zarr"]
