"""Stage `tile`: tissue, grid and table are of one piece."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr.writer import write_multiscale
from PIL import Image

from tests.runs import MPP, configured, draw, job
from wsi_scale.artifacts.pictures import read_tissue
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.settings import TileSettings
from wsi_scale.errors import ArtifactError
from wsi_scale.jobs.current import current_tiles
from wsi_scale.jobs.job import SlideJob
from wsi_scale.slides import open_slide
from wsi_scale.slides.grid import lay_grid, tissue_fractions
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import write_pyramid

#: Tiles of 64 px (32 µm) on the patchy slide.
SMALL_TILES = ("tiling.tile_px=64",)


@pytest.fixture(scope="module")
def patchy(shared: Path) -> Path:
    """Tissue of 560 × 400 px in the top left of 700 × 600 px of glass."""
    image = np.full((600, 700, 3), 243, np.uint8)
    image[:400, :560] = draw(3.0, 400, 560)
    write_pyramid(shared / "patchy.tiff", image, MPP)
    return shared / "patchy.tiff"


def tiled(slide: Path, folder: Path, *assignments: str) -> SlideJob:
    this = job(slide, folder)
    inspect(this)
    assert tile(this, TileSettings.of(configured(*SMALL_TILES, *assignments))).status == "ok"
    return this


def test_table_mask_and_grid_tell_the_same(patchy: Path, tmp_path: Path) -> None:
    tiled(patchy, tmp_path, "tiling.overlap_px=16")

    table, _ = read_tiles(tmp_path)
    mask = read_tissue(tmp_path).mask
    grid = lay_grid((700, 600), (MPP, MPP), tile_px=64, mpp=MPP, overlap_px=16, edge="drop")
    fractions = tissue_fractions(grid, mask, (700 / mask.shape[1], 600 / mask.shape[0]), (700, 600))
    rows, cols = np.nonzero(fractions >= 0.3)
    assert (table.grid.rows, table.grid.cols) == (grid.rows, grid.cols)
    assert (table.row.tolist(), table.col.tolist()) == (rows.tolist(), cols.tolist())
    corners = [grid.origin(r, c) for r, c in zip(rows.tolist(), cols.tolist(), strict=True)]
    assert list(zip(table.x.tolist(), table.y.tolist(), strict=True)) == corners
    np.testing.assert_allclose(table.tissue_fraction, fractions[rows, cols], rtol=1e-6)


def test_tiles_lie_where_the_tissue_was_drawn(patchy: Path, tmp_path: Path) -> None:
    tiled(patchy, tmp_path, "tiling.min_tissue=0.5")

    table, _ = read_tiles(tmp_path)
    mask = read_tissue(tmp_path).mask
    assert mask[:380, :540].mean() > 0.9
    assert mask[430:, :].mean() < 0.02
    assert mask[:, 590:].mean() < 0.02
    assert (table.row.max(), table.col.max()) == (5, 8)
    assert len(table) == 6 * 9


def test_padded_tiles_reach_over_the_edge_and_dropped_ones_do_not(patchy: Path, tmp_path: Path) -> None:
    dropped = read_tiles(tiled(patchy, tmp_path / "drop", "tissue.method=none").folder)[0]
    padded = read_tiles(
        tiled(patchy, tmp_path / "pad", "tissue.method=none", "tiling.edge=pad", "tiling.min_tissue=0").folder
    )[0]

    assert dropped.x.max() + 64 <= 700
    assert dropped.y.max() + 64 <= 600
    assert (padded.grid.rows, padded.grid.cols) == (dropped.grid.rows + 1, dropped.grid.cols + 1)
    assert padded.x.max() + 64 > 700
    assert padded.tissue_fraction.min() == pytest.approx((600 - 9 * 64) / 64 * (700 - 10 * 64) / 64, rel=1e-5)


def test_a_users_own_mask_decides(patchy: Path, tmp_path: Path) -> None:
    own = np.zeros((60, 70), np.uint8)
    own[:, 35:] = 255
    Image.fromarray(own).save(tmp_path / "patchy-mask.png")

    this = tiled(patchy, tmp_path / "out", f"tissue.mask={tmp_path}/{{slide_id}}-mask.png", "tiling.min_tissue=0.9")

    table, _ = read_tiles(this.folder)
    assert table.x.min() == 6 * 64
    assert set(table.row.tolist()) == set(range(9))


def _regions(path: Path, right_edge: int) -> Path:
    """Two regions side by side that meet at x = 192 px."""
    outlines = [("left", "Tumor", (0, 192)), ("right", "Stroma", (192, right_edge))]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[a, 0], [b, 0], [b, 320], [a, 320], [a, 0]]]},
            "properties": {"objectType": "annotation", "name": name, "classification": {"name": kind}},
        }
        for name, kind, (a, b) in outlines
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_tiles_lie_in_the_users_regions_and_say_in_which(patchy: Path, tmp_path: Path) -> None:
    _regions(tmp_path / "patchy.geojson", 448)

    this = tiled(patchy, tmp_path / "out", f"tissue.regions={tmp_path}/{{slide_id}}.geojson", "tiling.min_tissue=0.5")

    table, _ = read_tiles(this.folder)
    assert (table.x.max() + 64, table.y.max() + 64) == (448, 320)
    assert table.region is not None
    assert table.region_class is not None
    np.testing.assert_array_equal(table.region, np.where(table.x < 192, "left", "right"))
    np.testing.assert_array_equal(table.region_class, np.where(table.x < 192, "Tumor", "Stroma"))
    assert not read_tissue(this.folder).mask[330:].any()


def test_regions_count_by_their_content_and_only_where_they_are_given(patchy: Path, tmp_path: Path) -> None:
    without = read_tiles(tiled(patchy, tmp_path / "out").folder)[1]
    regions = f"tissue.regions={_regions(tmp_path / 'a.geojson', 448)}"
    first = read_tiles(tiled(patchy, tmp_path / "out", regions).folder)[1]
    moved = f"tissue.regions={(tmp_path / 'a.geojson').rename(tmp_path / 'b.geojson')}"
    again = read_tiles(tiled(patchy, tmp_path / "out", moved).folder)[1]
    _regions(tmp_path / "b.geojson", 384)
    changed = read_tiles(tiled(patchy, tmp_path / "out", moved).folder)[1]

    assert first == again
    assert len({without, first, changed}) == 3
    back, _ = read_tiles(tiled(patchy, tmp_path / "out").folder)
    assert back.region is None


def test_regions_without_tissue_leave_the_slide_empty_and_say_why(patchy: Path, tmp_path: Path) -> None:
    glass = {"type": "Polygon", "coordinates": [[[580, 420], [690, 420], [690, 590], [580, 590], [580, 420]]]}
    (tmp_path / "glass.geojson").write_text(json.dumps({"type": "Feature", "geometry": glass, "properties": {}}))
    this = job(patchy, tmp_path / "out")
    inspect(this)
    settings = TileSettings.of(configured(*SMALL_TILES, f"tissue.regions={tmp_path}/glass.geojson"))
    record = tile(this, settings)
    assert (record.status, record.reason) == ("empty", "no tissue found in the regions (tissue.regions)")


def test_a_slide_in_ome_zarr_has_the_tiles_of_the_same_picture_as_tiff(patchy: Path, tmp_path: Path) -> None:
    with open_slide(patchy) as slide:
        image = slide.read(0, 0, 0, slide.width, slide.height)
    root = zarr.open_group(tmp_path / "patchy.ome.zarr", mode="w")
    um = {"y": "micrometer", "x": "micrometer"}
    scale = {"c": 1.0, "y": MPP, "x": MPP}
    write_multiscale([np.moveaxis(image, -1, 0)], root, axes=list("cyx"), axes_units=um, scale=scale)

    first, _ = read_tiles(tiled(patchy, tmp_path / "tiff").folder)
    second, _ = read_tiles(tiled(tmp_path / "patchy.ome.zarr", tmp_path / "zarr").folder)

    assert second.grid == replace(first.grid, mpp_source="ome")
    np.testing.assert_array_equal(second.x, first.x)
    np.testing.assert_array_equal(second.y, first.y)
    np.testing.assert_allclose(second.tissue_fraction, first.tissue_fraction, atol=0.02)


def test_another_setting_writes_another_table_and_the_same_none(patchy: Path, tmp_path: Path) -> None:
    this = tiled(patchy, tmp_path)
    first, first_print = (tmp_path / "tiles.parquet").stat(), read_tiles(tmp_path)[1]

    tile(this, TileSettings.of(configured(*SMALL_TILES)))
    assert (tmp_path / "tiles.parquet").stat() == first

    tile(this, TileSettings.of(configured(*SMALL_TILES, "tiling.min_tissue=0.9")))
    assert read_tiles(tmp_path)[1] != first_print
    assert json.loads((tmp_path / "tile.json").read_text())["fingerprint"] == read_tiles(tmp_path)[1]


def test_tiles_of_another_slide_of_the_same_size_are_told_apart(patchy: Path, tmp_path: Path) -> None:
    this = tiled(patchy, tmp_path / "this")
    write_pyramid(tmp_path / "twin.tiff", draw(4.0, 600, 700), MPP)
    twin = tiled(tmp_path / "twin.tiff", tmp_path / "twin")

    (this.folder / "tiles.parquet").write_bytes((twin.folder / "tiles.parquet").read_bytes())

    with pytest.raises(ArtifactError, match=r"tiles\.parquet is damaged; run `wsi-scale tile` again"):
        current_tiles(this)
