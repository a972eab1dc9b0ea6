"""The features store."""

import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr

from tests.artifacts.conftest import snippet
from wsi_scale.artifacts.features import read_features, unreadable_tiles, writing_features
from wsi_scale.errors import ArtifactError


def fill(folder: Path, tiles: int, mpps: int, channels: int = 4, block: int = 7) -> tuple[np.ndarray, ...]:
    """Write a store block by block and return what was written."""
    rng = np.random.default_rng(0)
    features = rng.random((tiles, mpps, channels)).astype(np.float32)
    optimal = rng.random((tiles, channels)).astype(np.float32)
    padded = rng.random((tiles, mpps)).astype(np.float32)
    attributes = {"fingerprint": "print", "layer": "C5_4", "tile_px": 224}
    with writing_features(folder, tiles, 0.5 * 2.0 ** np.arange(mpps), channels, attributes) as writer:
        for rows in np.split(np.arange(tiles), range(block, tiles, block)):
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


def test_xarray_opens_it_as_the_documentation_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features, optimal, padded = fill(tmp_path, 20, 3)
    monkeypatch.chdir(tmp_path)
    opened: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(snippet("features.zarr"), opened)
        store = xarray.open_zarr("features.zarr").load()
    assert opened["features"].dims == ("tile", "mpp", "channel")
    np.testing.assert_array_equal(opened["features"].sel(mpp=1.0).values, features[:, 1])
    assert store["features_optimal"].dims == ("tile", "channel")
    np.testing.assert_array_equal(store["features_optimal"].values, optimal)
    assert store["padded_share"].dims == ("tile", "mpp")
    np.testing.assert_array_equal(store["padded_share"].values, padded)


@pytest.mark.parametrize("block", [1, 8, 1000, 1024, 1500, 4096])
def test_blocks_of_any_size_give_the_same_bytes(tmp_path: Path, digest: Callable[[Path], str], block: int) -> None:
    fill(tmp_path / "once", 2500, 2, block=2500)
    fill(tmp_path / "blocks", 2500, 2, block=block)
    assert digest(tmp_path / "blocks") == digest(tmp_path / "once")


def test_a_reader_of_a_few_tiles_decodes_1024_of_them(tmp_path: Path) -> None:
    features, _, _ = fill(tmp_path, 2500, 2)
    stored: Any = zarr.open_group(tmp_path / "features.zarr", mode="r")["features"]
    assert stored.chunks == (1024, 2, 4)
    assert stored.shards == (3072, 2, 4)
    np.testing.assert_array_equal(stored[1020:1030], features[1020:1030])
    # What lies in another chunk is not looked at.
    (path,) = (file for file in (tmp_path / "features.zarr" / "features" / "c").rglob("*") if file.is_file())
    content = bytearray(path.read_bytes())
    content[:1000] = bytes(1000)
    path.write_bytes(content)
    np.testing.assert_array_equal(stored[1024:], features[1024:])
    with pytest.raises(ArtifactError, match="holds no features"):
        read_features(tmp_path)


def test_a_writer_holds_few_chunks_of_its_tiles(tmp_path: Path) -> None:
    tiles, channels, block = 20 * 1024, 64, 64
    rows = np.zeros((block, 1, channels), np.float32)
    with writing_features(tmp_path, tiles, np.array([0.5]), channels, {"fingerprint": "print"}) as writer:
        tracemalloc.start()
        for start in range(0, tiles, block):
            writer.put(np.arange(start, start + block), rows, rows[:, 0], rows[..., 0])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1024 * channels * 4 * 4 < tiles * channels * 4 / 4


def test_rows_come_in_any_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.random((3000, 1, 2)).astype(np.float32)
    with writing_features(tmp_path, 3000, np.array([0.5]), 2, {"fingerprint": "print"}) as writer:
        for rows in np.split(rng.permutation(3000), 30):
            writer.put(rows, values[rows], values[rows, 0], values[rows, :, 0])
    np.testing.assert_array_equal(read_features(tmp_path).features, values)


@pytest.mark.parametrize("row", [0, 3000, -1])
def test_a_row_is_written_once_and_is_one_of_the_store(tmp_path: Path, row: int) -> None:
    rows = np.zeros((1024, 1, 2), np.float32)
    with writing_features(tmp_path, 3000, np.array([0.5]), 2, {"fingerprint": "print"}) as writer:
        writer.put(np.arange(1024), rows, rows[:, 0], rows[..., 0])
        with pytest.raises(ValueError, match=f"row {row} is not one to be written"):
            writer.put(np.array([row]), rows[:1], rows[:1, 0], rows[:1, :, 0])


def test_the_number_of_unreadable_tiles_is_noted(tmp_path: Path) -> None:
    with writing_features(tmp_path, 3, np.array([0.5]), 2, {"fingerprint": "print"}) as writer:
        writer.note_unreadable(2)
    assert unreadable_tiles(tmp_path) == 2


def test_rows_that_were_never_put_have_no_answer(tmp_path: Path) -> None:
    with writing_features(tmp_path, 3, np.array([0.5]), 2, {"fingerprint": "print"}) as writer:
        ones = np.ones((1, 1, 2), np.float32)
        writer.put(np.array([1]), ones, ones[0], ones[..., 0])
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
