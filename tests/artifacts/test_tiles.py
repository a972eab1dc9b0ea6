"""The table of tiles is read again as it was written, here and by other libraries."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from wsi_scale.artifacts.tiles import read_tiles, write_tiles
from wsi_scale.results.tiles import TileTable


def test_tiles_come_back_with_their_grid_and_fingerprint(tmp_path: Path, tile_table: TileTable) -> None:
    write_tiles(tmp_path, tile_table, "print")
    read, print_ = read_tiles(tmp_path)
    assert read.grid == tile_table.grid
    assert print_ == "print"
    assert len(read) == len(tile_table)
    for name in ("row", "col", "x", "y", "tissue_fraction"):
        expected, actual = getattr(tile_table, name), getattr(read, name)
        np.testing.assert_array_equal(actual, expected)
        assert actual.dtype == expected.dtype


def test_other_libraries_read_the_columns_of_tiles(tmp_path: Path, tile_table: TileTable) -> None:
    write_tiles(tmp_path, tile_table, "print")
    frame = pq.read_table(tmp_path / "tiles.parquet").to_pandas()
    assert list(frame.columns) == ["row", "col", "x", "y", "tissue_fraction"]
    np.testing.assert_array_equal(frame.x, tile_table.x)


def test_regions_come_back_and_other_libraries_read_them(tmp_path: Path, tile_table: TileTable) -> None:
    names = np.array([f"kärn {n % 3}" if n % 4 else "" for n in range(len(tile_table))])
    write_tiles(tmp_path, replace(tile_table, region=names, region_class=names[::-1]), "print")
    read, _ = read_tiles(tmp_path)
    assert read.region is not None
    assert read.region_class is not None
    np.testing.assert_array_equal(read.region, names)
    np.testing.assert_array_equal(read.region_class, names[::-1])
    frame = pq.read_table(tmp_path / "tiles.parquet").to_pandas()
    assert frame.region.tolist() == names.tolist()
    assert read.to_dataframe().columns.tolist() == frame.columns.tolist()


def test_no_tiles_at_all_come_back_too(tmp_path: Path, tile_table: TileTable) -> None:
    none = replace(
        tile_table, **{name: getattr(tile_table, name)[:0] for name in ("row", "col", "x", "y", "tissue_fraction")}
    )
    write_tiles(tmp_path, none, "print")
    assert len(read_tiles(tmp_path)[0]) == 0
