"""Draw a slide from its recipe."""

import math

import numpy as np
from numpy.typing import NDArray

from wsi_scale.synthesis import marks, structures
from wsi_scale.synthesis.canvas import Camera, Canvas, blank_canvas, develop
from wsi_scale.synthesis.nuclei import Nuclei, Numbers, paint_nuclei, scatter, spread_radii
from wsi_scale.synthesis.recipes import Recipe
from wsi_scale.synthesis.texture import (
    Field,
    Flow,
    bump,
    fibre_field,
    gaussian_field,
    ground,
    make_flow,
    smoothstep,
)

#: Area for which a recipe's counts are meant, µm².
RECIPE_AREA_UM2 = 1000.0 * 800.0


def radius_at(recipe: Recipe, width_um: float, x_um: Numbers) -> Numbers:
    """Planted radius in µm at positions ``x_um`` of a slide ``width_um`` wide."""
    bands = len(recipe.radii_um)
    band = np.clip((x_um / width_um * bands).astype(int), 0, bands - 1)
    radii: Numbers = np.asarray(recipe.radii_um)[band]
    return radii


def render_slide(recipe: Recipe, width_um: float, height_um: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a recipe's slide, array (row, column, colour) at the recipe's true µm per pixel.

    Parameters
    ----------
    recipe
        What to plant.
    width_um, height_um
        Size of the slide; counts follow its area.
    rng
        Random numbers for everything that the recipe does not fix.
    """
    canvas = blank_canvas(width_um, height_um, recipe.mpp)
    if recipe.tissue:
        _fill(canvas, recipe, rng)
    else:
        marks.drop_dust(canvas, 25, rng)
    if recipe.pen:
        _draw_pen(canvas, rng)
    camera = Camera(blur_px=recipe.blur_px, noise=recipe.noise)
    return develop(canvas, recipe.stain, camera, rng)


def _fill(canvas: Canvas, recipe: Recipe, rng: np.random.Generator) -> None:
    width, height = canvas.size_um
    depth = marks.tissue_depth(canvas, rng, margin_um=0.09 * height)
    for x, y, radius in structures.ring_places(canvas, _count(canvas, recipe.holes), (25.0, 60.0), rng):
        hole = structures.random_ring(x, y, radius, rng, 0.3)
        marks.tear_hole(depth, hole, canvas, rng)
    canvas.room[:] = depth > 1.5
    flow = make_flow(canvas.shape, canvas.mpp, rng, angle=rng.uniform(0, math.pi), waviness_um=recipe.waviness_um)
    sheet = _sheet(canvas, recipe.sheet, rng)
    _lay_stroma(canvas, recipe, flow, sheet, rng)
    drawn = _build(canvas, recipe, rng)
    drawn.append(_scattered(canvas, recipe, flow, sheet, rng))
    chromatin = 0.8 * gaussian_field(canvas.shape, 0.42 / canvas.mpp, rng)
    chromatin += 0.6 * gaussian_field(canvas.shape, 0.9 / canvas.mpp, rng)
    for nuclei in drawn:
        paint_nuclei(canvas, nuclei, chromatin, recipe.appearance, rng)
    marks.cut_tissue(canvas, depth, rng)
    if recipe.fold:
        marks.lay_fold(canvas, depth, rng.uniform(0.35, 0.65) * width, rng.uniform(34, 52), rng)


def _count(canvas: Canvas, count: int) -> int:
    width, height = canvas.size_um
    return math.ceil(count * width * height / RECIPE_AREA_UM2)


def _sheet(canvas: Canvas, share: float, rng: np.random.Generator) -> Field:
    """Where the tissue is rich in cells: 0–1, patches some 100 µm wide that cover about ``share``."""
    patches = gaussian_field(canvas.shape, 45.0 / canvas.mpp, rng)
    patches += 0.25 * gaussian_field(canvas.shape, 9.0 / canvas.mpp, rng)
    limit = float(np.quantile(patches[::8, ::8], 1 - share))
    return smoothstep(patches, limit - 0.12, limit + 0.12)


def _lay_stroma(canvas: Canvas, recipe: Recipe, flow: Flow, sheet: Field, rng: np.random.Generator) -> None:
    """Fibres with clefts where cells are few; granular cytoplasm where they are many."""
    density = np.maximum(ground(recipe.texture, flow, canvas.shape, canvas.mpp, rng), 0.12)
    bundles = fibre_field(flow, canvas.shape, (2.6, 30.0), rng)
    clefts = smoothstep(bundles + 0.35 * (density - 1), -1.75, -1.15)
    stroma = 0.82 * density * (1 + 0.12 * bundles) * (0.06 + 0.94 * clefts)
    grain = gaussian_field(canvas.shape, 0.8 / canvas.mpp, rng)
    clumps = gaussian_field(canvas.shape, 3.5 / canvas.mpp, rng)
    borders = bump(gaussian_field(canvas.shape, 4.0 / canvas.mpp, rng), 0.11)
    cells = (0.66 + 0.08 * clumps + 0.09 * grain - 0.26 * borders) * smoothstep(clumps + 0.3 * grain, -2.2, -1.3)
    np.maximum(cells, 0.03, out=cells)
    canvas.eosin[:] = stroma + sheet * (cells - stroma)
    canvas.haematoxylin[:] = (0.045 + 0.13 * sheet) * np.minimum(canvas.eosin / 0.6, 1.2)


def _build(canvas: Canvas, recipe: Recipe, rng: np.random.Generator) -> list[Nuclei]:
    """Fat, vessels and glands, in this order; the nuclei that belong to them are returned."""
    width = canvas.size_um[0]
    drawn = []
    if recipe.fat:
        where = _sheet(canvas, recipe.fat, rng)
        x, y = structures.paint_fat(canvas, where, 24.0, rng)
        radius = spread_radii(radius_at(recipe, width, x), rng)
        drawn.append(Nuclei(x, y, radius, np.full(len(x), 2.2), rng.uniform(0, math.pi, len(x))))
    for x_um, y_um, size in structures.ring_places(canvas, _count(canvas, recipe.vessels), (14.0, 38.0), rng):
        structures.paint_vessel(canvas, structures.random_ring(x_um, y_um, size, rng, 0.08), rng)
    for x_um, y_um, size in structures.ring_places(canvas, _count(canvas, recipe.glands), recipe.gland_um, rng):
        nuclear = float(radius_at(recipe, width, np.array([x_um]))[0])
        gland = structures.random_ring(x_um, y_um, size, rng, 0.13)
        drawn.append(structures.paint_gland(canvas, gland, nuclear, rng))
    return drawn


def _scattered(canvas: Canvas, recipe: Recipe, flow: Flow, sheet: Field, rng: np.random.Generator) -> Nuclei:
    """Nuclei of the stroma, long and along the fibres, and of the cell-rich parts, round."""
    width = canvas.size_um[0]
    poor, rich = recipe.density
    patches = np.exp(0.5 * gaussian_field(canvas.shape, 14.0 / canvas.mpp, rng))
    share = Canvas(sheet, sheet, sheet, (poor + (rich - poor) * sheet) * patches, canvas.mpp)

    def density_at(x: Numbers, y: Numbers) -> Numbers:
        return np.minimum(share.room_at(x, y).astype(np.float64), 0.45)

    x, y, radius = scatter(canvas, lambda x, _: radius_at(recipe, width, x), density_at, rng, spacing=0.9)
    share.room[:] = sheet
    round_ones = rng.uniform(size=len(x)) < share.room_at(x, y)
    elongation = np.where(
        round_ones, np.exp(np.abs(rng.normal(0.16, 0.14, len(x)))), np.exp(rng.normal(0.85, 0.3, len(x)))
    )
    angle = np.where(round_ones, rng.uniform(0, math.pi, len(x)), flow.angle(x, y) + rng.normal(0, 0.22, len(x)))
    return Nuclei(x, y, radius, np.clip(elongation, 1.0, 4.2), angle)


def _draw_pen(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a stroke across one corner, from edge to edge."""
    width, height = canvas.size_um
    left = rng.uniform() < 0.5
    x = np.array([0.34, 0.2, 0.12, -0.03]) * width
    x = x if left else width - x
    y = np.array([-0.05, 0.12, 0.3, 0.42]) * height
    points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    marks.draw_pen(canvas, points, 0.05 * width, rng)
