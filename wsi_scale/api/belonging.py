"""Whether slide, tiles and scale map belong together."""

from pathlib import Path

import numpy as np

from wsi_scale.api.slide import Slide
from wsi_scale.errors import SlideError
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.tiles import Tiles
from wsi_scale.steps.inputs import OpenedSlide


def slide_of(tiles: Tiles, slide: Slide, mpp: float | None) -> OpenedSlide:
    """Return the slide as the steps take it, where there are tiles and they are of this slide at this µm per pixel.

    Raises
    ------
    SlideError
        There is none, or they are of another slide or µm per pixel.
    """
    if not isinstance(tiles, Tiles):
        raise SlideError(f"{slide.path}: the tiles must be those that tile_slide gives, not {type(tiles).__name__}")
    grid = tiles.table.grid
    if not len(tiles):
        raise SlideError(f"{slide.path}: there is no tile to compute: {tiles.reason}")
    if slide.size != (grid.slide_width, grid.slide_height):
        raise SlideError(
            f"{slide.path}: the tiles are of a slide of {grid.slide_width} × {grid.slide_height} px, and this one has "
            f"{slide.size[0]} × {slide.size[1]}; tile it with tile_slide"
        )
    if slide.identity != tiles.slide_identity:
        raise SlideError(f"{slide.path}: the tiles are of another slide of this size; tile this one with tile_slide")
    given = slide.mpp if mpp is None and slide.mpp_source == "override" else mpp
    if given is not None and not np.isclose(given, (grid.mpp_x, grid.mpp_y), rtol=1e-6).all():
        raise SlideError(
            f"{slide.path}: the tiles were laid at {grid.mpp_x:g} µm per level-0 pixel, not {given:g}; tile it again "
            "with slide_mpp"
        )
    return OpenedSlide(slide.reader)


def check_map(scale_map: ScaleMap, tiles: Tiles, slide: Path) -> None:
    """Check that a scale map is of these tiles: on their grid, with their tissue.

    Raises
    ------
    SlideError
        It is of others.
    """
    table = tiles.table
    if scale_map.grid == table.grid:
        fractions = scale_map.tissue_fraction[table.row, table.col]
        if np.allclose(fractions, table.tissue_fraction, atol=1e-3):
            return
    raise SlideError(f"{slide}: the scale map is of other tiles; search these with search_scale")
