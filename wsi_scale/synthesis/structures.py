"""Structures of tissue besides scattered nuclei: glands, fat, vessels, sheets of cells."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.synthesis.canvas import Canvas
from wsi_scale.synthesis.nuclei import Nuclei, Numbers, keep_apart, spread_radii
from wsi_scale.synthesis.texture import Field, bump, coarse_shape, enlarge, gaussian_field, smoothstep

#: Radius of a red blood cell, which no planted radius changes.
RED_CELL_UM = 3.3


@dataclass(frozen=True)
class Ring:
    """A closed wavy outline about a centre.

    Attributes
    ----------
    x_um, y_um
        Centre, from the canvas's top-left corner.
    radius_um
        Mean radius.
    stretch
        Long over short axis.
    turn
        Direction of the long axis, radians.
    waves
        Amplitudes and phases of the outline's waves of order 2, 3, …, relative to the radius.
    """

    x_um: float
    y_um: float
    radius_um: float
    stretch: float
    turn: float
    waves: tuple[tuple[float, float], ...]

    @property
    def reach_um(self) -> float:
        """Distance from the centre that the outline never passes."""
        return self.radius_um * math.sqrt(self.stretch) * (1 + sum(size for size, _ in self.waves))

    def outline(self, angle: Field) -> Field:
        """Distance of the outline from the centre, in µm, at angles in radians."""
        turned = angle - np.float32(self.turn)
        root = math.sqrt(self.stretch)
        ellipse = 1.0 / np.sqrt((np.cos(turned) / root) ** 2 + (np.sin(turned) * root) ** 2)
        wavy = sum(size * np.cos((order + 2) * turned + phase) for order, (size, phase) in enumerate(self.waves))
        outline: Field = np.asarray(self.radius_um * ellipse * (1.0 + wavy), np.float32)
        return outline


def random_ring(x_um: float, y_um: float, radius_um: float, rng: np.random.Generator, wave: float) -> Ring:
    """Outline with a random stretch, direction and waves of a relative size ``wave``."""
    sizes = wave * np.array([1.0, 0.7, 0.5, 0.35, 0.25]) * rng.uniform(0.3, 1.0, 5)
    phases = rng.uniform(0, 2 * math.pi, 5)
    waves = tuple((float(size), float(phase)) for size, phase in zip(sizes, phases, strict=True))
    return Ring(x_um, y_um, radius_um, rng.uniform(1.0, 1.6), rng.uniform(0, math.pi), waves)


def ring_places(
    canvas: Canvas, count: int, radius_um: tuple[float, float], rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Places (x, y, radius in µm) for rings that keep apart and lie where there is room."""
    width, height = canvas.size_um
    tries = 60 * count
    x, y = rng.uniform(0, width, tries), rng.uniform(0, height, tries)
    radius = rng.uniform(*radius_um, tries)
    free = canvas.room_at(x, y) > 0.5
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        free &= canvas.room_at(x + dx * radius, y + dy * radius) > 0.5
    x, y, radius = x[free], y[free], radius[free]
    apart = keep_apart(x, y, radius, 1.32)[:count]
    return [(float(x[index]), float(y[index]), float(radius[index])) for index in apart]


def paint_gland(canvas: Canvas, ring: Ring, nuclear_um: float, rng: np.random.Generator) -> Nuclei:
    """Draw a gland without its nuclei: basement membrane, columnar cytoplasm with borders, lumen.

    Parameters
    ----------
    canvas
        Changed in place; the gland takes its room.
    ring
        Its outer border.
    nuclear_um
        Planted radius of its nuclei.
    rng
        Random numbers for its cells.

    Returns
    -------
    Nuclei
        One or two rows of nuclei near the base, long axes towards the lumen, still to be drawn.
    """
    part, dx, dy = canvas.window(ring.x_um, ring.y_um, ring.reach_um + 4.0)
    height = min(0.62 * ring.radius_um, rng.uniform(14.0, 20.0) + 1.6 * nuclear_um)
    cells = max(6, round(2 * math.pi * (ring.radius_um - 1.4 * nuclear_um) / (1.75 * nuclear_um)))
    if dx.size and dy.size:
        _paint_epithelium(canvas, part, (dx, dy), ring, (height, cells), rng)
    return _ring_of_nuclei(ring, nuclear_um, cells, height, rng)


def _paint_epithelium(
    canvas: Canvas,
    part: tuple[slice, slice],
    offsets: tuple[Field, Field],
    ring: Ring,
    layer: tuple[float, int],
    rng: np.random.Generator,
) -> None:
    dx, dy = offsets
    height, cells = layer
    angle = np.arctan2(dy, dx)
    depth = ring.outline(angle) - np.hypot(dx, dy)
    rough = gaussian_field(depth.shape, 2.2 / canvas.mpp, rng)
    grain = gaussian_field(depth.shape, 0.5 / canvas.mpp, rng)
    inside = smoothstep(depth, -0.6, 0.6)
    apical = height + 1.3 * rough
    lumen = smoothstep(depth - apical, -0.7, 0.7)
    columns = angle * (cells / (2 * math.pi)) + 0.18 * rough
    border = bump(columns % 1.0 - 0.5, 0.09)
    mucin = smoothstep(depth, 0.45 * height, 0.95 * height)
    eosin = (0.72 - 0.3 * mucin) * (1 + 0.16 * grain + 0.1 * rough) + 0.3 * border * (1 - 0.4 * mucin)
    eosin += 0.5 * bump(depth - apical, 0.9)
    haematoxylin = 0.24 - 0.12 * mucin + 0.04 * grain
    secretion = max(0.0, rng.uniform(-0.2, 0.22)) * (1 + 0.5 * rough + 0.2 * grain)
    eosin = eosin * (1 - lumen) + np.maximum(secretion, 0.0) * lumen
    haematoxylin = haematoxylin * (1 - lumen)
    canvas.eosin[part] *= 1 - inside
    canvas.eosin[part] += inside * np.maximum(eosin, 0.0)
    canvas.eosin[part] += 0.45 * bump(depth + 0.3, 0.7)
    cleft = 1 - rng.uniform(0.0, 0.75) * bump(depth + 2.4, 1.3) * smoothstep(rough, -0.6, 0.6)
    canvas.eosin[part] *= cleft
    canvas.haematoxylin[part] *= 1 - inside
    canvas.haematoxylin[part] += inside * np.maximum(haematoxylin, 0.0)
    canvas.room[part] *= depth < -2.5


def _ring_of_nuclei(ring: Ring, nuclear_um: float, cells: int, height: float, rng: np.random.Generator) -> Nuclei:
    angle = 2 * math.pi * (np.arange(cells) + rng.uniform(-0.2, 0.2, cells)) / cells
    angle = angle[rng.uniform(size=cells) < 0.95]
    elongation = np.clip(rng.normal(1.55, 0.18, len(angle)), 1.05, 2.0)
    radius = spread_radii(np.full(len(angle), nuclear_um), rng)
    half = radius * np.sqrt(elongation)
    depth = half + 1.2 + np.abs(rng.normal(0, 0.16 * height, len(angle)))
    depth = np.minimum(depth, np.maximum(height - half, half + 0.8))
    distance = ring.outline(angle.astype(np.float32)) - depth
    x, y = ring.x_um + distance * np.cos(angle), ring.y_um + distance * np.sin(angle)
    return Nuclei(x, y, radius, elongation, angle + rng.normal(0, 0.18, len(angle)))


def paint_vessel(canvas: Canvas, ring: Ring, rng: np.random.Generator) -> None:
    """Draw a vessel: a muscular wall, a lumen and red cells in part of it."""
    part, dx, dy = canvas.window(ring.x_um, ring.y_um, ring.reach_um + 3.0)
    if not dx.size or not dy.size:
        return
    depth = ring.outline(np.arctan2(dy, dx)) - np.hypot(dx, dy)
    wall = max(5.0, 0.28 * ring.radius_um)
    grain = gaussian_field(depth.shape, 0.8 / canvas.mpp, rng)
    inside = smoothstep(depth, -0.7, 0.7)
    lumen = smoothstep(depth, wall - 0.6, wall + 0.6)
    layers = 0.16 * np.cos(2 * math.pi * depth / 3.1 + 1.5 * grain)
    eosin = (1.05 + layers + 0.1 * grain) * (1 - lumen)
    canvas.eosin[part] += inside * (eosin - canvas.eosin[part])
    canvas.haematoxylin[part] *= 1 - 0.6 * inside
    canvas.haematoxylin[part] *= 1 - lumen
    canvas.room[part] *= np.maximum(depth < -2.0, 0.3 * (depth < wall - 2.0))
    inner = max(ring.radius_um - wall - RED_CELL_UM, 1.0)
    places = rng.uniform(-inner, inner, (math.ceil(2.2 * (inner / RED_CELL_UM) ** 2), 2))
    side = rng.uniform(-0.6, 0.3) * inner
    places = places[(np.hypot(*places.T) < inner) & (places[:, 0] > side)]
    apart = keep_apart(places[:, 0], places[:, 1], np.full(len(places), RED_CELL_UM), 0.8)
    for x, y in places[apart].tolist():
        _paint_red_cell(canvas, ring.x_um + x, ring.y_um + y, RED_CELL_UM * rng.uniform(0.85, 1.1))


def _paint_red_cell(canvas: Canvas, x_um: float, y_um: float, radius_um: float) -> None:
    part, dx, dy = canvas.window(x_um, y_um, radius_um + 1.0)
    depth = radius_um - np.hypot(dx, dy)
    cover = np.clip(depth / 0.5 + 0.5, 0.0, 1.0)
    canvas.eosin[part] += cover * (1.25 + 0.3 * bump(depth - 0.8, 0.7) - canvas.eosin[part])


def cell_depth(
    canvas: Canvas, centres_um: Numbers, belongs: NDArray[np.bool_], grid_mpp: float, rounding_um: float
) -> Field:
    """Distance in µm from the border of the cell around the nearest centre, array of the canvas's shape.

    Parameters
    ----------
    canvas
        Decides shape and scale.
    centres_um
        Centres, array (cell, xy). A cell is what lies nearest to its centre.
    belongs
        Per cell, whether it counts as inside; the distance is negative in the others.
    grid_mpp
        µm per pixel at which the distance is computed before it is interpolated.
    rounding_um
        How round corners are where three cells meet.
    """
    from scipy.spatial import cKDTree

    rows, columns = coarse_shape(canvas.shape, canvas.mpp, grid_mpp)
    step = canvas.size_um[0] / columns
    places = (np.indices((rows, columns), dtype=np.float32).reshape(2, -1).T[:, ::-1] + 0.5) * step
    distances, cells = cKDTree(centres_um).query(places, k=3)
    nearest, second, third = distances.T
    sides = np.exp(-(second - nearest) / rounding_um) + np.exp(-(third - nearest) / rounding_um)
    depth = np.where(belongs[cells[:, 0]], -0.5 * rounding_um * np.log(sides), nearest - second)
    return enlarge(depth.reshape(rows, columns).astype(np.float32), canvas.shape)


def paint_fat(canvas: Canvas, where: Field, cell_um: float, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Turn the tissue where ``where`` is above a half into fat: large empty cells between thin membranes.

    Parameters
    ----------
    canvas
        Changed in place; fat takes the room.
    where
        0–1, array of the canvas's shape.
    cell_um
        Radius of a fat cell.
    rng
        Random numbers for the cells' positions.

    Returns
    -------
    tuple
        x and y in µm of places between cells: there the flat nuclei of fat cells lie.
    """
    width, height = canvas.size_um
    tries = math.ceil(8 * (width + 90) * (height + 90) / (math.pi * cell_um**2))
    x, y = rng.uniform(-45, width + 45, tries), rng.uniform(-45, height + 45, tries)
    apart = keep_apart(x, y, np.full(tries, cell_um) * rng.uniform(0.75, 1.1, tries), 0.86)
    centres = np.column_stack([x[apart], y[apart]])
    row, column = (np.clip(centres[:, ::-1] / canvas.mpp, 0, np.array(canvas.shape) - 1)).astype(int).T
    depth = cell_depth(canvas, centres, where[row, column] > 0.5, 1.2, 4.5)
    wavy = depth + 0.3 * gaussian_field(canvas.shape, 5.0 / canvas.mpp, rng)
    empty = smoothstep(wavy, 0.45, 1.35)
    fat = smoothstep(depth, -0.8, 0.0)
    canvas.eosin[:] += fat * (0.72 * (1 - empty) + 0.015 - canvas.eosin)
    canvas.haematoxylin[:] += fat * (0.05 * (1 - empty) - canvas.haematoxylin)
    canvas.room[:] *= depth < -2.0
    sought = rng.integers(0, canvas.shape, (8000, 2))
    here = depth[sought[:, 0], sought[:, 1]]
    sought = sought[(here > -0.4) & (here < 0.8)][: int(fat.mean() * width * height / (3.2 * cell_um**2))]
    corners = ((sought + 0.5) * canvas.mpp).astype(np.float64)
    return corners[:, 1], corners[:, 0]
