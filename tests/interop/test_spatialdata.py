"""SpatialData reads what is exported with equal values, and all of it lies on the slide."""

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import spatialdata
import spatialdata_plot  # noqa: F401 - it adds .pl
from spatialdata import get_centroids, get_extent, match_table_to_element

from tests.many_tiles import ten_thousand
from tests.runs import error_line, wsi_scale
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.spatialdata_store import write_spatialdata
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.jobs.cohort import job_in
from wsi_scale.jobs.current import current_features, current_map, current_tiles


@pytest.fixture
def store(results: Path, tmp_path: Path) -> Path:
    """The results as a SpatialData store."""
    result = wsi_scale("export", results, "--spatialdata", tmp_path / "small.zarr")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return tmp_path / "small.zarr"


def test_values_come_back_equal(store: Path, results: Path) -> None:
    content = spatialdata.read_zarr(store)
    # Its own validation of every element, and of what the table annotates.
    spatialdata.SpatialData.init_from_elements({name: element for _, name, element in content.gen_elements()})
    tiles, _ = read_tiles(results)
    table = content["features"]
    np.testing.assert_array_equal(table.X, read_features(results).features[:, 0])
    np.testing.assert_array_equal(content["scale_map"].to_numpy(), read_scale_map(results)[0].image)
    assert content["scale_map"].coords["c"].to_numpy().tolist()[:2] == ["optimal_mpp", "confidence"]
    np.testing.assert_array_equal(table.obs[["row", "col"]], np.stack([tiles.row, tiles.col], axis=1))
    assert content.attrs["wsi_scale"]["slide"] == "small"
    if tiles.region is not None:
        assert content["tiles"]["region"].tolist() == tiles.region.tolist()
        assert table.obs["region"].tolist() == tiles.region.tolist()


def test_each_row_of_the_table_is_of_its_tile(store: Path) -> None:
    content = spatialdata.read_zarr(store)
    table = match_table_to_element(content, "tiles", table_name="features")
    centers = get_centroids(content["tiles"]).compute()
    np.testing.assert_allclose(centers[["x", "y"]].loc[table.obs["tile"]], table.obsm["spatial"])


@pytest.mark.parametrize(("system", "mpp"), [("global", 1.0), ("um", 0.5)])
def test_tiles_map_and_picture_lie_on_one_another(store: Path, results: Path, system: str, mpp: float) -> None:
    content = spatialdata.read_zarr(store)
    grid = read_tiles(results)[0].grid
    slide = get_extent(content["slide"], coordinate_system=system)
    assert slide == {"x": (0, 1300 * mpp), "y": (0, 1000 * mpp)}
    # A pixel of the map and the tile of its place have the same centre.
    drawn = get_extent(content["scale_map"], coordinate_system=system)
    outer = (224 - grid.step_um / 0.5) / 2 * mpp
    for axis, count in (("x", grid.cols), ("y", grid.rows)):
        np.testing.assert_allclose(drawn[axis], (outer, outer + count * grid.step_um / 0.5 * mpp), atol=1e-6)
    tiles = get_extent(content["tiles"], coordinate_system=system)
    assert all(slide[axis][0] <= tiles[axis][0] < tiles[axis][1] <= slide[axis][1] for axis in "xy")


def test_a_plot_shows_tiles_on_the_tissue(store: Path, results: Path, pictures: Path) -> None:
    content = spatialdata.read_zarr(store)
    figure, axes = plt.subplots(figsize=(8, 6))
    (
        content.pl.render_images("slide")
        .pl.render_shapes("tiles", color="optimal_mpp", table_name="features", fill_alpha=0.5, outline_alpha=1)
        .pl.show(coordinate_systems="um", ax=axes)
    )
    figure.savefig(pictures / f"spatialdata-{results.name}.png", dpi=80)
    plt.close(figure)


def test_an_own_store_is_replaced_and_anothers_is_not(store: Path, results: Path, tmp_path: Path) -> None:
    assert wsi_scale("export", results, "--spatialdata", store).exit_code == 0
    spatialdata.SpatialData().write(tmp_path / "theirs.zarr")
    line = error_line(wsi_scale("export", results, "--spatialdata", tmp_path / "theirs.zarr"))
    assert "theirs.zarr was not made by this program" in line


def test_ten_thousand_tiles_take_seconds(made: Path, tmp_path: Path) -> None:
    job = job_in(made / "plain")
    one = current_features(job, current_tiles(job), current_map(job))
    many = ten_thousand(one)

    begin = time.monotonic()
    write_spatialdata(tmp_path / "many.zarr", many.to_spatialdata())

    assert time.monotonic() - begin < 10
    assert len(spatialdata.read_zarr(tmp_path / "many.zarr")["tiles"]) == 10_000
