"""Tissue outline and artefacts of a slide: holes, folds, pen strokes, dust."""

import math

import numpy as np

from wsi_scale.synthesis.canvas import Canvas
from wsi_scale.synthesis.structures import Ring
from wsi_scale.synthesis.texture import Field, bump, coarse_shape, enlarge, gaussian_field, smoothstep


def tissue_depth(canvas: Canvas, rng: np.random.Generator, *, margin_um: float) -> Field:
    """Distance in µm to the irregular border of a piece of tissue (positive inside), array of the canvas."""
    width, height = canvas.size_um
    small = coarse_shape(canvas.shape, canvas.mpp, 2.0)
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in small)
    radial = (np.abs(x[None, :]) ** 4 + np.abs(y[:, None]) ** 4) ** 0.25
    depth = (1.0 - radial) * np.float32(min(width, height) / 2) - np.float32(margin_um)
    step = width / small[1]
    for length_um, size_um in ((70.0, 0.45 * margin_um), (18.0, 0.13 * margin_um), (4.0, 1.6)):
        depth += np.float32(size_um) * gaussian_field(small, length_um / step, rng)
    return enlarge(depth, canvas.shape)


def cut_tissue(canvas: Canvas, depth: Field, rng: np.random.Generator) -> None:
    """Clear everything outside the border; the edge of the tissue is slightly darker."""
    frayed = depth + 0.7 * gaussian_field(canvas.shape, 0.8 / canvas.mpp, rng)
    kept = smoothstep(frayed, -0.7, 0.7)
    kept *= 1.0 + 0.35 * bump(np.maximum(frayed, 0.0), 5.0)
    canvas.eosin[:] *= kept
    canvas.haematoxylin[:] *= kept


def tear_hole(depth: Field, ring: Ring, canvas: Canvas, rng: np.random.Generator) -> None:
    """Cut a ragged hole into a piece of tissue, given as its depth in µm and changed in place."""
    part, dx, dy = canvas.window(ring.x_um, ring.y_um, ring.reach_um + 12.0)
    if not dx.size or not dy.size:
        return
    rough = gaussian_field((dy.size, dx.size), 9.0 / canvas.mpp, rng)
    rim = np.hypot(dx, dy) - ring.outline(np.arctan2(dy, dx)) + 3.5 * rough
    depth[part] = np.minimum(depth[part], rim)


def lay_fold(canvas: Canvas, depth: Field, x_um: float, width_um: float, rng: np.random.Generator) -> None:
    """Fold the tissue over along a wavy vertical band: twice the tissue, twice the dye.

    Parameters
    ----------
    canvas
        Changed in place.
    depth
        Distance in µm to the tissue's border: outside the tissue nothing is folded.
    x_um
        Where the band crosses the middle of the canvas.
    width_um
        Its width.
    rng
        Random numbers for its waves.
    """
    rows = canvas.shape[0]
    y = np.linspace(-1, 1, rows, dtype=np.float32)
    waves = sum(
        size * np.sin(math.pi * order * y + rng.uniform(0, 6)) for order, size in ((0.8, 30), (1.7, 12), (4, 3))
    )
    middle = np.asarray(x_um + rng.uniform(-60, 60) * y + waves, np.float32)[:, None]
    half = (width_um / 2) * (1.0 - 0.55 * np.abs(y[:, None]) ** 3)
    first = max(0, int((float(middle.min()) - width_um) / canvas.mpp))
    columns = slice(first, min(canvas.shape[1], int((float(middle.max()) + width_um) / canvas.mpp) + 1))
    across = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + 0.5) * canvas.mpp - middle
    cover = smoothstep(half - np.abs(across), -0.8, 0.8) * smoothstep(depth[:, columns], 0.0, 3.0)
    crease = bump(half - np.abs(across), 2.5)
    for dye, most in ((canvas.eosin, 0.5), (canvas.haematoxylin, 0.12)):
        band = dye[:, columns]
        other = np.roll(band[:, ::-1], round(23.0 / canvas.mpp), axis=0)
        band += cover * (0.9 * other + most * crease * np.minimum(2 * band, 1.0))


def draw_pen(canvas: Canvas, points_um: list[tuple[float, float]], width_um: float, rng: np.random.Generator) -> None:
    """Draw a felt-tip stroke through points (x, y in µm), streaky and paler at its rim."""
    from scipy.spatial import cKDTree

    knots = np.array(points_um)
    t = np.linspace(0, len(knots) - 1, 400)
    path = np.column_stack([np.interp(t, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)])
    path = _rounded(path)
    small = coarse_shape(canvas.shape, canvas.mpp, 2.0)
    step = canvas.size_um[0] / small[1]
    grid = (np.indices(small).reshape(2, -1).T[:, ::-1] + 0.5) * step
    distance = cKDTree(path).query(grid)[0].reshape(small).astype(np.float32)
    distance += 2.5 * gaussian_field(small, 12.0 / step, rng)
    streaks = 1.0 + 0.22 * gaussian_field(small, 9.0 / step, rng) + 0.06 * gaussian_field(small, 2.0 / step, rng)
    stroke = smoothstep(width_um / 2 - distance, 0.0, 5.0) * streaks
    stroke *= 0.75 + 0.35 * bump(width_um / 2 - distance, 8.0)
    canvas.ink[:] += enlarge(np.maximum(stroke, 0.0), canvas.shape)


def _rounded(path: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    smooth: np.ndarray = ndimage.gaussian_filter1d(path, 18, axis=0, mode="nearest")
    return smooth


def drop_dust(canvas: Canvas, count: int, rng: np.random.Generator) -> None:
    """Draw a few grey specks of 0.5–3 µm."""
    width, height = canvas.size_um
    for _ in range(count):
        radius = rng.uniform(0.5, 3.0)
        part, dx, dy = canvas.window(rng.uniform(0, width), rng.uniform(0, height), radius + 2)
        speck = bump(np.hypot(dx, dy * rng.uniform(0.6, 1.6)), 0.7 * radius)
        canvas.haematoxylin[part] += rng.uniform(0.05, 0.3) * speck
        canvas.eosin[part] += rng.uniform(0.05, 0.3) * speck
