"""What happens to a slide happens where it is asked for, and in the asked measure."""

import math

import numpy as np
import pytest

from wsi_scale.synthesis.canvas import Canvas, blank_canvas
from wsi_scale.synthesis.marks import cut_tissue, draw_pen, drop_dust, lay_fold, tear_hole, tissue_depth
from wsi_scale.synthesis.structures import Ring

MPP = 1.0


def stained() -> Canvas:
    canvas = blank_canvas(500, 400, MPP)
    canvas.eosin[:], canvas.haematoxylin[:] = 0.5, 0.2
    return canvas


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_tissue_fills_the_middle_and_leaves_about_the_margin() -> None:
    depth = tissue_depth(stained(), random(), margin_um=40)
    assert depth.shape == (400, 500)
    assert depth[150:250, 200:300].min() > 50
    assert max(edge.max() for edge in (depth[0], depth[-1], depth[:, 0], depth[:, -1])) < 0


def test_outside_the_border_nothing_is_left_and_inside_everything() -> None:
    canvas = stained()
    depth = np.repeat(np.linspace(-100, 100, 500, dtype=np.float32)[None], 400, axis=0)
    cut_tissue(canvas, depth, random())
    assert not canvas.eosin[:, :230].any()
    assert not canvas.haematoxylin[:, :230].any()
    np.testing.assert_allclose(canvas.eosin[:, 300:], 0.5, rtol=1e-3)
    assert canvas.eosin[:, 252:256].mean() > 0.55  # the edge is darker


def test_a_hole_is_taken_out_of_the_depth_at_its_place() -> None:
    depth = np.full((400, 500), 100, np.float32)
    tear_hole(depth, Ring(250.0, 200.0, 40.0, 1.0, 0.0, ()), stained(), random())
    rows, columns = np.indices(depth.shape) + 0.5
    distance = np.hypot(columns - 250, rows - 200)
    assert depth[distance < 20].max() < 0
    assert (depth[distance > 80] > 20).all()
    tear_hole(depth, Ring(9000.0, 200.0, 40.0, 1.0, 0.0, ()), stained(), random())
    area = (depth < 0).sum() * MPP**2
    assert area == pytest.approx(math.pi * 40**2, rel=0.3)


def test_a_fold_has_about_twice_the_dye_and_only_within_the_tissue() -> None:
    canvas = stained()
    depth = np.full((400, 500), 100, np.float32)
    depth[:100] = -10
    lay_fold(canvas, depth, 250.0, 40.0, random())
    row = canvas.eosin[300]
    assert np.median(row[row > 0.8]) == pytest.approx(1.0, abs=0.15)
    assert (row > 0.8).sum() * MPP == pytest.approx(40, rel=0.7)
    np.testing.assert_array_equal(canvas.eosin[:90], np.float32(0.5))
    np.testing.assert_array_equal(canvas.eosin[:, :80], np.float32(0.5))


def test_a_pen_stroke_is_as_wide_as_asked_and_leaves_the_tissue_alone() -> None:
    canvas = stained()
    draw_pen(canvas, [(50.0, 200.0), (450.0, 200.0)], 30.0, random())
    across = canvas.ink[:, 250]
    assert (across > 0.2).sum() * MPP == pytest.approx(30, rel=0.4)
    assert canvas.ink[200, 100:400].min() > 0.3
    assert not canvas.ink[:100].any()
    np.testing.assert_array_equal(canvas.eosin, np.float32(0.5))


def test_dust_is_grey_small_and_rare() -> None:
    canvas = stained()
    drop_dust(canvas, 20, random())
    added = canvas.eosin - np.float32(0.5)
    assert (added >= 0).all()
    assert 0 < (added > 0.02).mean() < 0.01
    touched = added > 1e-3
    assert (canvas.haematoxylin[touched] > 0.2).all()
