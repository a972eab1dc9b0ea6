"""Tiles out of the training distribution: they vary, and none shows tissue in focus."""

import numpy as np
import pytest

from wsi_scale.magnification import out_of_distribution
from wsi_scale.magnification.out_of_distribution import draw_out_of_distribution
from wsi_scale.synthesis.scene import Scene, render_scene

SIDE = 96


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return render_scene(Scene(3.0, seed=1, size_px=SIDE, mpp=0.5))


def fine_detail(tile: np.ndarray) -> float:
    """Energy of differences between neighbouring pixels over that of the whole tile."""
    grey = tile.astype(float).mean(axis=2)
    return float(np.square(np.diff(grey, axis=1)).mean() / max(grey.var(), 1e-9))


@pytest.mark.parametrize("side", [96, 113, 224])
def test_every_kind_fills_a_tile_of_any_size(side: int) -> None:
    tissue = render_scene(Scene(3.0, seed=2, size_px=side, mpp=0.5))
    photographs = [np.random.default_rng(0).integers(0, 256, (80, 130, 3), np.uint8)]
    for seed in range(60):
        tile = draw_out_of_distribution(tissue, photographs, np.random.default_rng(seed))
        assert tile.shape == (side, side, 3)
        assert tile.dtype == np.uint8


def test_the_same_seed_draws_the_same_and_others_differ(tissue: np.ndarray) -> None:
    first, again, other = (draw_out_of_distribution(tissue, (), np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_tissue_itself_is_left_alone(tissue: np.ndarray) -> None:
    kept = tissue.copy()
    for seed in range(40):
        draw_out_of_distribution(tissue, (), np.random.default_rng(seed))
    np.testing.assert_array_equal(tissue, kept)


def test_glass_is_bright_and_fluorescence_is_dark(tissue: np.ndarray) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert np.median(out_of_distribution._glass(SIDE, rng)) > 170
        assert np.median(out_of_distribution._fluorescence(tissue, rng)) < 100


def test_what_is_out_of_focus_has_no_detail_left(tissue: np.ndarray) -> None:
    quiet = np.random.default_rng(0)
    blurred = np.median([fine_detail(out_of_distribution._defocused(tissue, quiet)) for _ in range(9)])
    assert blurred < fine_detail(tissue) / 3


def test_photographs_are_shown_at_many_scales() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[:, ::8] = 255
    stripes = [
        int(
            (
                np.abs(
                    np.diff(
                        out_of_distribution._photograph(image, SIDE, np.random.default_rng(seed))
                        .astype(float)
                        .mean(axis=(0, 2))
                    )
                )
                > 8
            ).sum()
        )
        for seed in range(40)
    ]
    assert max(stripes) > 2 * max(1, min(stripes))
