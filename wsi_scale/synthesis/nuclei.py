"""Nuclei: positions, appearance, and drawing.

The radius of a nucleus is that of the circle of the same area, in µm. Details inside and around it
(rim, chromatin, nucleolus, halo) have their own sizes in µm, independent of the radius.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.synthesis.canvas import Canvas
from wsi_scale.synthesis.texture import Field, bump

Numbers = NDArray[np.float64]

#: Nuclei of one planted radius differ by this much (uniform, relative).
RADIUS_SPREAD = 0.12

#: Radius of a nucleolus in µm; smaller nuclei than 2.4 µm show none.
NUCLEOLUS_UM = 0.7


@dataclass(frozen=True)
class NuclearAppearance:
    """Appearance of the nuclei of one tissue.

    Attributes
    ----------
    rim_um, rim
        Width of the dark membrane and its extra density.
    chromatin
        Contrast of the chromatin.
    pallor
        How pale the inside is (0 dense, 0.6 vesicular).
    nucleolus
        Share of nuclei with a nucleolus.
    halo
        Change of the eosin next to a nucleus: below 0 a clear cleft, above 0 a darker cytoplasm.
    halo_um
        Reach of that change.
    irregular
        How far outlines depart from ellipses, relative to the radius.
    tone_spread
        Standard deviation of the density from nucleus to nucleus, relative.
    """

    rim_um: float = 0.35
    rim: float = 0.35
    chromatin: float = 0.18
    pallor: float = 0.25
    nucleolus: float = 0.25
    halo: float = -0.2
    halo_um: float = 1.2
    irregular: float = 0.05
    tone_spread: float = 0.14


@dataclass(frozen=True)
class Nuclei:
    """Nuclei of a tissue, one entry per nucleus in each array.

    Attributes
    ----------
    x_um, y_um
        Centres, from the canvas's top-left corner.
    radius_um
        Radius of the circle of the same area.
    elongation
        Long over short axis.
    angle
        Direction of the long axis, radians from +x towards +y.
    """

    x_um: Numbers
    y_um: Numbers
    radius_um: Numbers
    elongation: Numbers
    angle: Numbers

    def __len__(self) -> int:
        """Count the nuclei."""
        return len(self.x_um)


def spread_radii(radius_um: Numbers, rng: np.random.Generator) -> Numbers:
    """Vary planted radii by ±12 %, uniformly."""
    return radius_um * rng.uniform(1 - RADIUS_SPREAD, 1 + RADIUS_SPREAD, radius_um.shape)


def keep_apart(x_um: Numbers, y_um: Numbers, radius_um: Numbers, spacing: float) -> NDArray[np.intp]:
    """Choose, in order, places that are no closer than ``spacing`` × the sum of their radii.

    Returns
    -------
    NDArray
        Indices of the chosen places, ascending.
    """
    from scipy.spatial import cKDTree

    keep = np.ones(len(x_um), bool)
    if len(x_um) < 2:
        return np.flatnonzero(keep)
    places = np.column_stack([x_um, y_um])
    pairs = cKDTree(places).query_pairs(2 * spacing * float(radius_um.max()), output_type="ndarray")
    gaps = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
    pairs = pairs[gaps < spacing * (radius_um[pairs[:, 0]] + radius_um[pairs[:, 1]])]
    pairs = np.sort(pairs, axis=1)
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        if keep[first]:
            keep[second] = False
    return np.flatnonzero(keep)


def scatter(
    canvas: Canvas,
    radius_at: Callable[[Numbers, Numbers], Numbers],
    density_at: Callable[[Numbers, Numbers], Numbers],
    rng: np.random.Generator,
    *,
    spacing: float = 0.95,
) -> tuple[Numbers, Numbers, Numbers]:
    """Scatter places over a canvas so that nuclei there cover a wanted share of the area.

    Parameters
    ----------
    canvas
        Only where it has room, and a little beyond its edges.
    radius_at
        Radius in µm at positions (x, y) in µm.
    density_at
        Share of the area to be covered (0–0.5) at positions (x, y) in µm.
    rng
        Random numbers.
    spacing
        Least distance over the sum of two radii; below 1 nuclei may overlap.

    Returns
    -------
    tuple
        x and y in µm and the radii in µm, spread by ±12 %.
    """
    width, height = canvas.size_um
    margin = 4.0
    smallest = float(radius_at(*_lattice(width, height)).min())
    area = (width + 2 * margin) * (height + 2 * margin)
    tries = math.ceil(area / (math.pi * smallest**2))
    x = rng.uniform(-margin, width + margin, tries)
    y = rng.uniform(-margin, height + margin, tries)
    radius = radius_at(x, y)
    wanted = density_at(x, y) * canvas.room_at(x, y)
    # Random places lose some to their neighbours; the dense ones ask for more to end where they should.
    asked = wanted * (1.0 + 2.2 * spacing**2 * wanted + 9.0 * (spacing * wanted) ** 3)
    chosen = rng.uniform(size=tries) < asked * (smallest / radius) ** 2
    x, y, radius = x[chosen], y[chosen], spread_radii(radius[chosen], rng)
    apart = keep_apart(x, y, radius, spacing)
    return x[apart], y[apart], radius[apart]


def _lattice(width: float, height: float) -> tuple[Numbers, Numbers]:
    x, y = np.meshgrid(np.linspace(0, width, 65), np.linspace(0, height, 65))
    return x.ravel(), y.ravel()


def paint_nuclei(
    canvas: Canvas, nuclei: Nuclei, chromatin: Field, appearance: NuclearAppearance, rng: np.random.Generator
) -> None:
    """Draw nuclei on a canvas, in the order given.

    Parameters
    ----------
    canvas
        Changed in place.
    nuclei
        What to draw; parts outside the canvas are cut off.
    chromatin
        Unit-variance field of the canvas's shape that the insides are made of.
    appearance
        Appearance of the nuclei.
    rng
        Random numbers for the differences between nuclei.
    """
    count = len(nuclei)
    tone = np.clip(rng.normal(1.0, appearance.tone_spread, count), 0.5, 1.5)
    waves = rng.normal(0.0, appearance.irregular, (count, 3)).clip(-0.16, 0.16)
    pallor = appearance.pallor * rng.uniform(0.3, 1.5, count)
    spot = np.where(rng.uniform(size=count) < appearance.nucleolus, rng.uniform(0.3, 0.7, count), 0.0)
    where = rng.uniform(-0.4, 0.4, (count, 2))
    for index in range(count):
        shape = (
            float(nuclei.radius_um[index]),
            float(nuclei.elongation[index]),
            float(nuclei.angle[index]),
            waves[index].tolist(),
        )
        inside = (float(tone[index]), float(pallor[index]), float(spot[index]), where[index].tolist())
        _paint_one(canvas, (float(nuclei.x_um[index]), float(nuclei.y_um[index])), shape, inside, chromatin, appearance)


def _paint_one(
    canvas: Canvas,
    centre_um: tuple[float, float],
    shape: tuple[float, float, float, list[float]],
    inside: tuple[float, float, float, list[float]],
    chromatin: Field,
    appearance: NuclearAppearance,
) -> None:
    radius, elongation, angle, waves = shape
    tone, pallor, spot, where = inside
    stretch = math.sqrt(elongation)
    reach = 1.25 * radius * stretch + 2.0 * appearance.halo_um
    part, dx, dy = canvas.window(*centre_um, reach)
    if dx.size == 0 or dy.size == 0:
        return
    u = dx * math.cos(angle) + dy * math.sin(angle)
    v = dy * math.cos(angle) - dx * math.sin(angle)
    depth = _depth(u, v, (radius * stretch, radius / stretch), waves)
    cover = np.clip(depth / canvas.mpp + 0.5, 0.0, 1.0)
    rim = bump(depth - np.float32(0.8 * appearance.rim_um), appearance.rim_um)
    density = (1.0 - pallor) + (appearance.rim + pallor) * rim + appearance.chromatin * chromatin[part]
    if spot and radius > 2.4:
        offset = np.hypot(u - where[0] * radius, v - where[1] * radius / stretch)
        density += np.float32(spot) * bump(offset, NUCLEOLUS_UM)
    haematoxylin, eosin = canvas.haematoxylin[part], canvas.eosin[part]
    if appearance.halo:
        halo = bump(np.minimum(depth, 0.0), appearance.halo_um)
        eosin *= 1.0 + np.float32(appearance.halo) * halo
    haematoxylin *= 1.0 - 0.7 * cover
    haematoxylin += cover * np.maximum(tone * density, 0.15)
    eosin *= 1.0 - 0.55 * cover


def _depth(u: Field, v: Field, axes_um: tuple[float, float], waves: list[float]) -> Field:
    """Distance in µm to the outline of a wavy ellipse, first order; positive inside."""
    along, across = axes_um
    a, b = u / along, v / across
    q = np.sqrt(a * a + b * b) + np.float32(1e-3)
    a, b = a / q, b / q
    outline = waves[0] * (4 * a * a - 3) * a + waves[1] * (3 - 4 * b * b) * b
    outline += 0.4 * waves[2] * (8 * a * a * (a * a - 1) + 1)
    outline += 1.0 - (waves[0] ** 2 + waves[1] ** 2 + 0.16 * waves[2] ** 2) / 4
    slope = np.sqrt((a / along) ** 2 + (b / across) ** 2 + np.float32(1e-6))
    depth: Field = (outline - q) / slope
    return depth
