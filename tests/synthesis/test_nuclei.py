"""Nuclei have the planted size, lie apart, and cover the share of the area that is asked for."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from wsi_scale.synthesis.canvas import Canvas, blank_canvas
from wsi_scale.synthesis.nuclei import (
    RADIUS_SPREAD,
    NuclearAppearance,
    Nuclei,
    keep_apart,
    paint_nuclei,
    scatter,
    spread_radii,
)

Numbers = NDArray[np.float64]


def test_places_kept_apart_are_apart_and_the_first_stays() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 50, (2, 400))
    radius = rng.uniform(1, 3, 400)

    kept = keep_apart(x, y, radius, 0.9)

    gaps = np.hypot(x[kept, None] - x[kept], y[kept, None] - y[kept])
    limits = 0.9 * (radius[kept, None] + radius[kept])
    assert kept[0] == 0
    assert (gaps >= limits)[~np.eye(len(kept), dtype=bool)].all()


def test_keeping_one_place_apart_keeps_it() -> None:
    one = np.array([1.0])

    assert keep_apart(one, one, one, 1.0).tolist() == [0]


def test_radii_vary_evenly_by_the_planted_spread() -> None:
    spread = spread_radii(np.full(20_000, 4.0), np.random.default_rng(0)) / 4
    assert spread.min() >= 1 - RADIUS_SPREAD
    assert spread.max() <= 1 + RADIUS_SPREAD
    assert spread.mean() == pytest.approx(1, abs=0.002)
    assert spread.std() == pytest.approx(RADIUS_SPREAD / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("density", [0.1, 0.2, 0.3])
def test_scattered_nuclei_cover_the_asked_share_where_there_is_room(density: float) -> None:
    canvas = blank_canvas(400, 300, 0.5)
    canvas.room[:, 400:] = 0.0

    x, y, radius = scatter(
        canvas,
        lambda x, _: np.full(x.shape, 3.0),
        lambda x, _: np.full(x.shape, density),
        np.random.default_rng(0),
    )

    inside = (x > 10) & (x < 190) & (y > 10) & (y < 290)
    covered = (math.pi * radius[inside] ** 2).sum() / (180 * 280)
    assert covered == pytest.approx(density, rel=0.15)
    assert not ((x > 200) & (x < 400)).any()


def test_nuclei_are_small_where_small_ones_are_asked_for() -> None:
    x, _, radius = scatter(
        blank_canvas(300, 300, 1.0),
        lambda x, _: np.where(x < 150, 2.0, 5.0),
        lambda x, _: np.full(x.shape, 0.2),
        np.random.default_rng(0),
    )
    assert radius[x < 150].max() <= 2 * (1 + RADIUS_SPREAD)
    assert radius[x > 150].min() >= 5 * (1 - RADIUS_SPREAD)


def painted(radius: float, elongation: float = 1.0, angle: float = 0.0, mpp: float = 0.25) -> Canvas:
    """Paint one nucleus in the middle of 40 µm of eosin."""
    canvas = blank_canvas(40, 40, mpp)
    canvas.eosin[:] = 1.0
    one = Nuclei(*(np.array([value]) for value in (20.0, 20.0, radius, elongation, angle)))
    look = NuclearAppearance(irregular=0.0, tone_spread=0.0, nucleolus=0.0, chromatin=0.0)
    paint_nuclei(canvas, one, np.zeros(canvas.shape, np.float32), look, np.random.default_rng(0))
    return canvas


@pytest.mark.parametrize("radius", [1.5, 4.0, 8.0])
@pytest.mark.parametrize("elongation", [1.0, 2.0])
@pytest.mark.parametrize("mpp", [0.125, 0.25, 0.5])
def test_a_nucleus_has_the_area_of_the_planted_circle(radius: float, elongation: float, mpp: float) -> None:
    stained = painted(radius, elongation, mpp=mpp).haematoxylin > 0.45
    # Pixels along the outline count whole or not at all.
    off = 0.03 * math.pi * radius**2 + 0.25 * mpp * 2 * math.pi * radius
    assert stained.sum() * mpp**2 == pytest.approx(math.pi * radius**2, abs=off)


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
def test_its_long_axis_turns_from_x_towards_y(angle: float) -> None:
    rows, columns = np.nonzero(painted(5.0, 2.0, angle).haematoxylin > 0.15)
    (_, cross), (_, vertical) = np.cov(columns, rows)
    horizontal = np.var(columns)
    found = 0.5 * math.atan2(2 * cross, horizontal - vertical) % math.pi
    assert found == pytest.approx(angle % math.pi, abs=0.03)


def test_outside_the_canvas_nothing_is_painted_and_nothing_fails() -> None:
    canvas = blank_canvas(20, 20, 0.5)
    far = Nuclei(*(np.array(values) for values in ([-50.0, 10.0], [10.0, 99.0], [4.0, 4.0], [1.0, 1.0], [0.0, 0.0])))
    paint_nuclei(canvas, far, np.zeros(canvas.shape, np.float32), NuclearAppearance(), np.random.default_rng(0))
    assert not canvas.haematoxylin.any()
    assert len(far) == 2


def test_eosin_gives_way_to_a_nucleus_and_clears_beside_it() -> None:
    canvas = painted(5.0)
    assert canvas.eosin[80, 80] < 0.6
    assert canvas.eosin[80, 80 + round(5.3 / 0.25)] < 0.95
    assert canvas.eosin[2, 2] == pytest.approx(1.0, abs=0.01)
