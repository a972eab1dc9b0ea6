from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.report.overlay import FRAME_RGB, OUTLINE_RGB, draw_overlay

Picture = tuple[NDArray[Any], NDArray[np.bool_]]


def _slide() -> Picture:
    thumbnail = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    mask = np.zeros((60, 80), np.bool_)
    mask[10:50, 20:70] = True
    return thumbnail, mask


def test_tissue_keeps_its_pixels_apart_from_outline_and_frames() -> None:
    thumbnail, mask = _slide()
    drawn = draw_overlay(thumbnail, mask, np.array([[24.0, 14.0, 40.0, 30.0]]))
    kept = np.zeros_like(mask)
    kept[11:49, 21:69] = True
    kept[14:30, 24:40] = False
    kept[15:29, 25:39] = True
    assert (drawn[kept] == thumbnail[kept]).all()
    assert (drawn[14, 24:40] != thumbnail[14, 24:40]).any(axis=1).all()


def test_the_outline_runs_along_the_edge_of_the_tissue() -> None:
    thumbnail, mask = _slide()
    outlined = (draw_overlay(thumbnail, mask, np.zeros((0, 4))) == OUTLINE_RGB).all(axis=2)
    expected = mask.copy()
    expected[11:49, 21:69] = False
    assert (outlined == expected).all()


def test_the_background_is_dimmed_and_never_brightened() -> None:
    thumbnail, mask = _slide()
    drawn = draw_overlay(thumbnail, mask, np.zeros((0, 4)))
    background = thumbnail[~mask].astype(int)
    assert (drawn[~mask] <= background).all()
    assert drawn[~mask].mean() > 0.7 * background.mean()


def test_a_tile_that_leaves_the_picture_is_cut_off() -> None:
    thumbnail = np.full((20, 20, 3), 255, np.uint8)
    mask = np.ones((20, 20), np.bool_)
    drawn = draw_overlay(thumbnail, mask, np.array([[-30.0, 4.0, 12.0, 60.0]]))
    framed = (drawn != 255).any(axis=2)
    expected = np.zeros_like(mask)
    expected[4, :12] = expected[4:, 11] = True
    assert (framed == expected).all()


def test_a_slide_without_tissue_has_neither_outline_nor_frames() -> None:
    thumbnail, mask = _slide()
    drawn = draw_overlay(thumbnail, np.zeros_like(mask), np.zeros((0, 4)))
    assert not (drawn == OUTLINE_RGB).all(axis=2).any()
    assert not (drawn == FRAME_RGB).all(axis=2).any()


def test_small_tiles_are_framed_more_faintly_than_large_ones() -> None:
    thumbnail = np.full((90, 90, 3), 255, np.uint8)
    mask = np.ones((90, 90), np.bool_)
    small, large = (draw_overlay(thumbnail, mask, np.array([[5.0, 5.0, 5.0 + s, 5.0 + s]])) for s in (5, 60))
    assert small[5, 5].sum() > large[5, 5].sum()


def test_the_thumbnail_is_left_alone() -> None:
    thumbnail, mask = _slide()
    before = thumbnail.copy()
    draw_overlay(thumbnail, mask, np.array([[24.0, 14.0, 40.0, 30.0]]))
    assert (thumbnail == before).all()
