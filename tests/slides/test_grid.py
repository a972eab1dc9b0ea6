import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.errors import MppError
from wsi_scale.slides import Grid, lay_grid, tissue_fractions

lengths = st.integers(1, 200_000)
mpps = st.floats(0.05, 40.0)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, int, tuple[float, float], int, float, int]:
    """Width, height, mpp of level 0, tile, mpp of tiles, overlap."""
    base = draw(mpps)
    tile_px = draw(st.integers(8, 1024))
    return (
        draw(lengths),
        draw(lengths),
        (base, base * draw(st.floats(0.9, 1.1))),
        tile_px,
        base * draw(st.floats(1.0, 64.0)),
        draw(st.integers(0, tile_px // 2)),
    )


Layout = tuple[int, int, tuple[float, float], int, float, int]


def laid(layout: Layout, edge: str) -> Grid:
    width, height, mpp_xy, tile_px, mpp, overlap_px = layout
    assert edge in ("drop", "pad")
    return lay_grid((width, height), mpp_xy, tile_px=tile_px, mpp=mpp, overlap_px=overlap_px, edge=edge)  # type: ignore[arg-type]


@given(layouts())
@settings(max_examples=300, deadline=None)
def test_no_tile_leaves_the_slide_under_drop(layout: Layout) -> None:
    grid = laid(layout, "drop")
    if grid.rows:
        last = grid.field(grid.rows - 1, grid.cols - 1)
        assert last.x + last.width <= layout[0] + 1e-3
        assert last.y + last.height <= layout[1] + 1e-3
        x, y = grid.origin(grid.rows - 1, grid.cols - 1)
        assert x >= 0
        assert y >= 0
        assert x + grid.tile_width <= layout[0] + 1e-3


@given(layouts())
@settings(max_examples=300, deadline=None)
def test_drop_leaves_no_room_for_another_tile(layout: Layout) -> None:
    grid = laid(layout, "drop")
    if grid.rows:
        assert grid.field(0, grid.cols).x + grid.tile_width > layout[0] - 1e-3
        assert grid.field(grid.rows, 0).y + grid.tile_height > layout[1] - 1e-3
    else:
        assert grid.tile_width > layout[0] - 1e-3 or grid.tile_height > layout[1] - 1e-3


@given(layouts())
@settings(max_examples=300, deadline=None)
def test_pad_covers_the_slide_and_no_tile_lies_outside(layout: Layout) -> None:
    grid = laid(layout, "pad")
    last = grid.field(grid.rows - 1, grid.cols - 1)
    assert last.x + last.width >= layout[0] - 1e-3
    assert last.y + last.height >= layout[1] - 1e-3
    assert last.x < layout[0]
    assert last.y < layout[1]


@given(layouts())
@settings(max_examples=100, deadline=None)
def test_a_tile_has_its_exact_physical_size(layout: Layout) -> None:
    grid = laid(layout, "pad")
    assert math.isclose(grid.tile_width * layout[2][0], grid.tile_px * grid.mpp, rel_tol=1e-12)
    assert math.isclose(grid.tile_height * layout[2][1], grid.tile_px * grid.mpp, rel_tol=1e-12)


@given(st.integers(1, 60), st.integers(8, 300), st.sampled_from([0.1, 0.25, 0.2528, 0.3, 0.7]))
def test_rounding_never_costs_a_column(cols: int, tile_px: int, mpp: float) -> None:
    grid = lay_grid(
        (cols * tile_px * 3, tile_px * 3), (mpp, mpp), tile_px=tile_px, mpp=3 * mpp, overlap_px=0, edge="drop"
    )
    assert (grid.rows, grid.cols) == (1, cols)
    assert grid.origin(0, cols - 1) == ((cols - 1) * tile_px * 3, 0)


def test_a_tile_larger_than_the_slide_gives_no_tiles_or_one_padded() -> None:
    dropped = lay_grid((100, 900), (0.5, 0.5), tile_px=224, mpp=0.5, overlap_px=0, edge="drop")
    padded = lay_grid((100, 900), (0.5, 0.5), tile_px=224, mpp=0.5, overlap_px=0, edge="pad")
    assert (dropped.rows, dropped.cols) == (0, 0)
    assert (padded.rows, padded.cols) == (5, 1)
    assert tissue_fractions(dropped, np.ones((9, 9), bool), (100, 100), (100, 900)).shape == (0, 0)


def test_an_mpp_much_finer_than_level_0_is_refused() -> None:
    with pytest.raises(MppError, match=r"^level 0 is 8\.09 µm/px; set tiling\.mpp to 8\.09 or more$"):
        lay_grid((2070, 1516), (8.0896, 8.0896), tile_px=224, mpp=0.5, overlap_px=0, edge="drop")
    lay_grid((2070, 1516), (8.0896, 8.0896), tile_px=224, mpp=8.09 / 1.2, overlap_px=0, edge="drop")


def test_an_overlap_as_large_as_the_tile_is_a_bug() -> None:
    with pytest.raises(ValueError, match="overlap"):
        lay_grid((100, 100), (1, 1), tile_px=10, mpp=1, overlap_px=10, edge="drop")


@given(st.integers(0, 2**32 - 1), st.integers(7, 40), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_fractions_equal_areas_counted_pixel_by_pixel(seed: int, tile_px: int, overlap_px: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((20, 30)) < 0.5
    # Every mask pixel is 6 x 6 level-0 pixels, so whole level-0 pixels can be counted.
    fine = np.repeat(np.repeat(mask, 6, axis=0), 6, axis=1)
    overlap_px = min(overlap_px, tile_px - 1)
    grid = lay_grid((180, 120), (1, 1), tile_px=tile_px, mpp=1, overlap_px=overlap_px, edge="pad")
    fractions = tissue_fractions(grid, mask, (6, 6), (180, 120))
    for row in range(grid.rows):
        for col in range(grid.cols):
            x, y = grid.origin(row, col)
            expected = fine[y : y + tile_px, x : x + tile_px].sum() / tile_px**2
            assert fractions[row, col] == pytest.approx(expected, abs=1e-6)


def test_fractions_weigh_pixels_cut_by_a_tile() -> None:
    mask = np.array([[True, False]])
    grid = lay_grid((200, 100), (1, 1), tile_px=80, mpp=1, overlap_px=0, edge="drop")
    np.testing.assert_allclose(tissue_fractions(grid, mask, (100, 100), (200, 100)), [[1.0, 0.25]])
