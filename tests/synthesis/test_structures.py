"""Glands, vessels and fat keep to their outlines and leave each other room."""

import math

import numpy as np
import pytest

from wsi_scale.synthesis.canvas import blank_canvas
from wsi_scale.synthesis.structures import Ring, paint_fat, paint_gland, paint_vessel, random_ring, ring_places

ROUND = Ring(100.0, 80.0, 40.0, 1.0, 0.0, ())


@pytest.mark.parametrize("seed", range(5))
def test_an_outline_never_passes_its_reach_and_holds_the_area_of_its_circle(seed: int) -> None:
    ring = random_ring(0.0, 0.0, 30.0, np.random.default_rng(seed), wave=0.05)
    outline = ring.outline(np.linspace(0, 2 * math.pi, 2000, endpoint=False, dtype=np.float32))
    assert outline.max() <= ring.reach_um
    assert outline.min() > 0
    assert math.pi * float((outline.astype(float) ** 2).mean()) == pytest.approx(math.pi * 30**2, rel=0.05)


def test_rings_keep_apart_and_lie_where_there_is_room() -> None:
    canvas = blank_canvas(800, 600, 1.0)
    canvas.room[:, 400:] = 0.0
    places = ring_places(canvas, 12, (20.0, 40.0), np.random.default_rng(0))
    assert 3 <= len(places) <= 12
    assert all(20 <= radius <= 40 and x < 400 for x, _, radius in places)
    for number, (x, y, radius) in enumerate(places):
        for other_x, other_y, other in places[:number]:
            assert math.hypot(x - other_x, y - other_y) >= 1.32 * (radius + other) - 1e-9


def test_the_nuclei_of_a_gland_stand_in_its_wall_their_long_axes_towards_the_lumen() -> None:
    canvas = blank_canvas(200, 160, 0.5)
    nuclei = paint_gland(canvas, ROUND, 3.0, np.random.default_rng(0))

    dx, dy = nuclei.x_um - ROUND.x_um, nuclei.y_um - ROUND.y_um
    distance = np.hypot(dx, dy)
    assert len(nuclei) > 20
    assert (distance < ROUND.radius_um).all()
    assert (distance > ROUND.radius_um / 3).all()
    assert nuclei.radius_um == pytest.approx(3.0, rel=0.13)
    off = np.abs(np.sin(nuclei.angle - np.arctan2(dy, dx)))
    assert np.median(off) < 0.2
    assert (nuclei.elongation > 1).mean() > 0.9


@pytest.mark.parametrize("paint", [lambda c, r: paint_gland(c, r, 3.0, r_()), lambda c, r: paint_vessel(c, r, r_())])
def test_a_structure_takes_its_room_and_leaves_the_rest_as_it_was(paint: object) -> None:
    canvas = blank_canvas(200, 160, 0.5)
    canvas.eosin[:] = 0.4
    paint(canvas, ROUND)  # type: ignore[operator]

    rows, columns = (np.indices(canvas.shape) + 0.5) * 0.5
    distance = np.hypot(columns - ROUND.x_um, rows - ROUND.y_um)
    assert canvas.room[distance < 35].max() < 0.5
    assert (canvas.room[distance > 60] == 1).all()
    np.testing.assert_array_equal(canvas.eosin[distance > 60], np.float32(0.4))


def r_() -> np.random.Generator:
    return np.random.default_rng(3)


def test_fat_is_clear_inside_its_cells_and_only_where_it_is_asked_for() -> None:
    canvas = blank_canvas(300, 200, 0.5)
    canvas.eosin[:] = 0.5
    where = np.zeros(canvas.shape, np.float32)
    where[:, 300:] = 1.0
    x, y = paint_fat(canvas, where, 40.0, np.random.default_rng(0))

    assert len(x) == len(y)
    right = canvas.eosin[:, 340:]
    assert np.median(right) < 0.1
    assert right.max() > 0.2
    assert (np.abs(canvas.eosin[:, :200] - 0.5) < 0.02).mean() > 0.98
