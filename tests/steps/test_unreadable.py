"""Tiles that cannot be decoded are counted in order, and stop a slide as soon as they are too many."""

from pathlib import Path

import numpy as np
import pytest

from wsi_scale.errors import RegionError
from wsi_scale.results.tiles import TileGrid, TileTable
from wsi_scale.steps.unreadable import UnreadableTiles, unreadable_note

GRID = TileGrid(10, 10, 224, 0.5, 112.0, 2240, 2240, 0.5, 0.5, "metadata")


def hundred_tiles() -> TileTable:
    row, col = (v.ravel().astype(np.int32) for v in np.indices((10, 10)))
    return TileTable(GRID, row, col, col * 224, row * 224, np.ones(100, np.float32))


def test_as_many_as_the_share_are_let_through_and_one_more_is_not() -> None:
    slide = Path("s.svs")
    unreadable = UnreadableTiles(slide, hundred_tiles(), 0.02)
    unreadable.add(np.arange(4), ["", "", f"{slide.absolute()}: level 1 is broken", ""])
    unreadable.add(np.array([7]), ["another"])
    assert unreadable.count == 2
    with pytest.raises(RegionError) as caught:
        unreadable.add(np.array([8, 5, 4]), ["", "a third", ""])
    assert str(caught.value) == (
        "s.svs: 3 of the first 8 tiles cannot be read, more than slides.unreadable_share=0.02 of 100 allows; "
        "the first at x=448 y=0 of level 0: level 1 is broken"
    )


def test_a_share_of_one_lets_everything_through_and_of_none_nothing() -> None:
    everything = UnreadableTiles(Path("s.svs"), hundred_tiles(), 1.0)
    everything.add(np.arange(100), ["broken"] * 100)
    assert everything.count == 100
    nothing = UnreadableTiles(Path("s.svs"), hundred_tiles(), 0.0)
    nothing.add(np.arange(99), [""] * 99)
    with pytest.raises(RegionError, match="1 of 100 tiles cannot be read"):
        nothing.add(np.array([99]), ["broken"])


def test_the_note_counts_tiles_and_places_without_one() -> None:
    assert unreadable_note(0, 412) == ""
    assert unreadable_note(3, 412) == "3 of 412 tiles cannot be read"
    assert unreadable_note(3, 412, 2) == "3 of 412 tiles and 2 places without a tile cannot be read"
