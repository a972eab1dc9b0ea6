"""squidpy and scanpy draw the AnnData of a slide where its tiles lie."""

from pathlib import Path

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scanpy
import squidpy

from tests.runs import wsi_scale
from wsi_scale.artifacts.tiles import read_tiles


@pytest.fixture
def table(results: Path, tmp_path: Path) -> anndata.AnnData:
    """The results as AnnData, read from a file."""
    assert wsi_scale("export", results, "--anndata", tmp_path / "small.h5ad").exit_code == 0
    return anndata.read_h5ad(tmp_path / "small.h5ad")


def test_squidpy_draws_each_tile_in_its_place(table: anndata.AnnData, results: Path, pictures: Path) -> None:
    axes = squidpy.pl.spatial_scatter(
        table, color="optimal_mpp", shape="square", alpha=0.5, return_ax=True, edgecolor="black"
    )
    axes.figure.savefig(pictures / f"squidpy-{results.name}.png", dpi=80)
    tiles, _ = read_tiles(results)
    (squares,) = [drawn for drawn in axes.collections if len(drawn.get_paths()) == len(tiles)]
    boxes = np.array([path.get_extents().extents for path in squares.get_paths()])
    boxes = boxes + np.tile(np.zeros(2) if len(squares.get_offsets()) <= 1 else squares.get_offsets(), 2)
    expected = np.stack([tiles.x, tiles.y, tiles.x + 224, tiles.y + 224], axis=1)
    np.testing.assert_allclose(boxes, expected, atol=2)
    plt.close("all")


def test_scanpy_draws_tiles_by_their_features(table: anndata.AnnData, results: Path, pictures: Path) -> None:
    scanpy.pp.pca(table, n_comps=5)
    table.obs["first"] = table.obsm["X_pca"][:, 0]
    figure = scanpy.pl.embedding(table, basis="spatial", color=["first", "reason"], return_fig=True, show=False)
    figure.savefig(pictures / f"scanpy-{results.name}.png", dpi=80)
    places = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(np.sort(places, axis=0), np.sort(table.obsm["spatial"], axis=0))
    plt.close("all")


def test_squidpy_finds_the_neighbours_of_a_grid(table: anndata.AnnData, results: Path) -> None:
    step = 224 if results.name == "plain" else 112
    squidpy.gr.spatial_neighbors(table, coord_type="generic", radius=step * 1.1)
    tiles, _ = read_tiles(results)
    places = {(row, col) for row, col in zip(tiles.row.tolist(), tiles.col.tolist(), strict=True)}
    beside = [sum((row + a, col + b) in places for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))) for row, col in
              zip(tiles.row.tolist(), tiles.col.tolist(), strict=True)]  # fmt: skip
    np.testing.assert_array_equal(np.asarray((table.obsp["spatial_connectivities"] > 0).sum(axis=1)).ravel(), beside)
