"""Immunohistochemistry drawn into H&E."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.magnification.density import DENSITY
from wsi_scale.magnification.immunostain import draw_positivity, find_cells
from wsi_scale.synthesis.scene import Scene, draw_scene, render_scene

SCENE = Scene(3.5, seed=4, size_px=448, mpp=0.25)


@pytest.fixture(scope="module")
def tissue() -> NDArray[np.uint8]:
    return render_scene(SCENE)


def chromogen(tile: NDArray[np.uint8]) -> float:
    """Density of blue over that of red: haematoxylin absorbs more red, every chromogen more blue."""
    density = DENSITY[tile].reshape(-1, 3)
    return float(np.percentile(density[:, 2] - density[:, 0], 99))


def test_the_same_seed_draws_the_same_and_others_differ(tissue: NDArray[np.uint8]) -> None:
    first, again, other = (draw_positivity(tissue, 0.25, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert first.shape == tissue.shape
    assert first.dtype == np.uint8
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("mpp", [0.25, 0.5, 2.0])
def test_most_tiles_get_a_reaction_at_any_scale(tissue: NDArray[np.uint8], mpp: float) -> None:
    size = round(SCENE.size_px * SCENE.mpp / mpp)
    tile = np.asarray(Image.fromarray(tissue).resize((size, size), Image.Resampling.BOX))
    drawn = [chromogen(draw_positivity(tile, mpp, np.random.default_rng(seed))) for seed in range(20)]
    assert np.mean(np.array(drawn) > chromogen(tile) + 0.1) > 0.6


def test_glass_stays_glass() -> None:
    glass = np.full((96, 96, 3), 243, np.uint8)
    for seed in range(20):
        assert draw_positivity(glass, 0.5, np.random.default_rng(seed)).min() > 215


def test_nuclei_are_found_where_they_were_drawn_whatever_the_scale() -> None:
    drawn = draw_scene(SCENE)
    for factor in (1, 2):
        size = SCENE.size_px // factor
        tile = np.asarray(Image.fromarray(drawn.pixels).resize((size, size), Image.Resampling.BOX))
        found = find_cells(DENSITY[tile].mean(axis=2), SCENE.mpp * factor)
        assert found.count == pytest.approx(len(drawn.nuclei), rel=0.4)
        assert found.distance_um.max() < 60
