"""A canvas measures in µm from its corner, and dyes become light by Beer and Lambert."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.synthesis.canvas import Camera, blank_canvas, develop
from wsi_scale.synthesis.stain import ANCHORS

STILL = Camera(blur_px=0.0, noise=0.0, unevenness=0.0)


def test_a_canvas_is_empty_and_has_room_everywhere() -> None:
    canvas = blank_canvas(50.1, 20.0, 0.5)
    assert canvas.shape == (40, 100)
    assert canvas.size_um == (50.0, 20.0)
    assert not np.any([canvas.haematoxylin, canvas.eosin, canvas.ink])
    assert (canvas.room == 1).all()


@given(st.floats(-30, 80), st.floats(-30, 60), st.floats(0.1, 40), st.sampled_from([0.25, 0.5, 1.0]))
def test_a_window_holds_every_pixel_within_reach_and_its_distance(x: float, y: float, reach: float, mpp: float) -> None:
    canvas = blank_canvas(50, 30, mpp)
    (rows, columns), dx, dy = canvas.window(x, y, reach)
    centres_y, centres_x = ((np.indices(canvas.shape) + 0.5) * mpp).astype(np.float64)
    distance = np.hypot(centres_x - x, centres_y - y)

    inside = np.zeros(canvas.shape, bool)
    inside[rows, columns] = True
    assert inside[distance <= reach - 1e-6].all()
    assert not inside[(np.abs(centres_x - x) > reach + mpp) | (np.abs(centres_y - y) > reach + mpp)].any()
    np.testing.assert_allclose(np.hypot(dx, dy), distance[rows, columns], atol=1e-4)


def test_room_is_asked_for_in_um_and_beyond_the_edge_at_the_edge() -> None:
    canvas = blank_canvas(10, 10, 0.5)
    canvas.room[:, :10] = 0.25
    x, y = np.array([1.0, 4.9, 5.1, 99.0, -99.0]), np.array([5.0, 5.0, 5.0, 5.0, 99.0])
    assert canvas.room_at(x, y).tolist() == [0.25, 0.25, 1.0, 1.0, 0.25]


def test_twice_the_dye_takes_the_same_share_of_the_light_again() -> None:
    stain = ANCHORS["classic"]
    canvas = blank_canvas(30, 10, 1.0)
    canvas.haematoxylin[:, 10:20], canvas.haematoxylin[:, 20:] = 0.5, 1.0
    picture = develop(canvas, stain, STILL, np.random.default_rng(1)).astype(float)

    glass, once, twice = (picture[:, start : start + 10].mean(axis=(0, 1)) for start in (0, 10, 20))
    for colour in range(3):
        assert glass[colour] == pytest.approx(255 * stain.glass[colour], abs=1)
        assert once[colour] == pytest.approx(glass[colour] * math.exp(-0.5 * stain.haematoxylin[colour]), abs=1.5)
        assert twice[colour] == pytest.approx(once[colour] ** 2 / glass[colour], abs=2)


def test_the_cameras_noise_has_the_asked_strength_and_its_seed() -> None:
    stain = ANCHORS["classic"]
    canvas = blank_canvas(200, 200, 1.0)
    canvas.eosin[:] = 1.0
    camera = Camera(blur_px=0.0, noise=4.0, unevenness=0.0)
    one, same, other = (develop(canvas, stain, camera, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one[..., 1].std() == pytest.approx(4.0, rel=0.1)


def test_blur_keeps_the_dye_and_softens_its_edge() -> None:
    stain = ANCHORS["classic"]
    canvas = blank_canvas(100, 40, 1.0)
    canvas.haematoxylin[:, 50:] = 1.0
    sharp, soft = (
        develop(canvas, stain, Camera(blur, 0.0, 0.0), np.random.default_rng(1))[..., 0].astype(int) for blur in (0, 3)
    )
    assert np.abs(np.diff(soft, axis=1)).max() < np.abs(np.diff(sharp, axis=1)).max() / 4
    np.testing.assert_array_equal(soft[:, :35], sharp[:, :35])
    np.testing.assert_array_equal(soft[:, 65:], sharp[:, 65:])
