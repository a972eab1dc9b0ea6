"""Blocks of neighbours."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.steps.order import SIDE, neighbouring


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), unique=True), st.integers(1, 70))
def test_every_tile_is_in_one_block_and_two_workers_end_together(places: list[tuple[int, int]], size: int) -> None:
    rows, cols = np.array(places, int).reshape(-1, 2).T
    blocks = neighbouring(rows, cols, size)
    assert sorted(np.concatenate([*blocks, np.array([], int)]).tolist()) == list(range(len(places)))
    sizes = [len(block) for block in blocks]
    assert not sizes or 1 <= min(sizes) <= max(sizes) <= min(size, min(sizes) + 1)
    assert len(blocks) % 2 == 0 or max(sizes) == 1
    assert len(blocks) <= 2 * max(1, -(-len(places) // (2 * size)))


def test_a_block_of_a_full_grid_is_a_square() -> None:
    rows, cols = (axis.ravel() for axis in np.indices((5 * SIDE, 6 * SIDE)))
    for block in neighbouring(rows, cols, SIDE**2):
        assert np.ptp(rows[block]) == np.ptp(cols[block]) == SIDE - 1


def test_blocks_come_from_top_to_bottom() -> None:
    rows, cols = (axis.ravel() for axis in np.indices((4 * SIDE, 3 * SIDE)))
    bands = [set((rows[block] // SIDE).tolist()) for block in neighbouring(rows, cols, 32)]
    assert [band for band, *more in map(sorted, bands) if not more] == sorted(min(band) for band in bands)
