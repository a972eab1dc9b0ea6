"""Demo slides with planted truth, and a table of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsi_scale.artifacts.table import write_table
from wsi_scale.synthesis.pyramid import write_pyramid
from wsi_scale.synthesis.recipes import RECIPES, Recipe
from wsi_scale.synthesis.slide import render_slide

#: Name of the table of truth in the demo's folder.
TRUTH_NAME = "truth.tsv"

COLUMNS = ("slide_id", "true_mpp", "header_mpp", "x0_um", "y0_um", "x1_um", "y1_um", "radius_um", "contains")

#: Height of a demo slide over its width.
ASPECT = 0.8


@dataclass(frozen=True)
class Region:
    """A rectangle of a slide whose nuclei have one planted radius, in true µm from the top-left corner.

    Attributes
    ----------
    x0_um, y0_um, x1_um, y1_um
        Left, top, right and bottom.
    radius_um
        Radius of the circle of the same area as a nucleus (±12 %); None where there are no nuclei.
    """

    x0_um: float
    y0_um: float
    x1_um: float
    y1_um: float
    radius_um: float | None


@dataclass(frozen=True)
class PlantedSlide:
    """The truth of one demo slide.

    Attributes
    ----------
    slide_id
        Its file name without suffix.
    path
        The pyramidal TIFF.
    true_mpp, header_mpp
        µm per pixel of level 0, in truth and as its resolution tags claim.
    regions
        Together they cover the slide.
    contains
        Names of the structures and faults planted in it.
    """

    slide_id: str
    path: Path
    true_mpp: float
    header_mpp: float
    regions: tuple[Region, ...]
    contains: tuple[str, ...]


@dataclass(frozen=True)
class DemoTruth:
    """The truth of a demo folder.

    Attributes
    ----------
    seed
        The seed it was made with.
    slides
        In the order of their names.
    table
        The file that holds the same.
    """

    seed: int
    slides: tuple[PlantedSlide, ...]
    table: Path


def make_demo(folder: Path, seed: int, *, size_um: float = 1000.0) -> DemoTruth:
    """Write the demo's slides and their ``truth.tsv``; the same seed and size give the same bytes.

    Parameters
    ----------
    folder
        Made if missing; files of the same names are replaced.
    seed
        Seed of all slides.
    size_um
        Width of a slide; its height is 0.8 of that.

    Returns
    -------
    DemoTruth
        What was planted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height_um = ASPECT * size_um
    slides = []
    for index, recipe in enumerate(RECIPES):
        rng = np.random.default_rng([seed, index])
        planted = _planted(folder, recipe, size_um, height_um)
        image = render_slide(recipe, size_um, height_um, rng)
        write_pyramid(planted.path, image, recipe.mpp, header_mpp=planted.header_mpp)
        slides.append(planted)
    truth = DemoTruth(seed, tuple(slides), folder / TRUTH_NAME)
    _write_table(truth)
    return truth


def _planted(folder: Path, recipe: Recipe, width_um: float, height_um: float) -> PlantedSlide:
    radii: tuple[float | None, ...] = recipe.radii_um if recipe.tissue else (None,)
    edges = [width_um * index / len(radii) for index in range(len(radii) + 1)]
    regions = tuple(
        Region(left, 0.0, right, height_um, radius)
        for left, right, radius in zip(edges[:-1], edges[1:], radii, strict=True)
    )
    return PlantedSlide(
        slide_id=recipe.name,
        path=folder / f"{recipe.name}.tiff",
        true_mpp=recipe.mpp,
        header_mpp=recipe.mpp * recipe.header_factor,
        regions=regions,
        contains=recipe.contents,
    )


def _write_table(truth: DemoTruth) -> None:
    rows = []
    for slide in truth.slides:
        for region in slide.regions:
            box = (region.x0_um, region.y0_um, region.x1_um, region.y1_um)
            numbers = [f"{value:g}" for value in (slide.true_mpp, slide.header_mpp, *box)]
            radius = "" if region.radius_um is None else f"{region.radius_um:g}"
            rows.append((slide.slide_id, *numbers, radius, ",".join(slide.contains)))
    write_table(truth.table, COLUMNS, rows)
