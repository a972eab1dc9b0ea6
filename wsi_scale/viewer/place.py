"""One tile of a scale map: where it lies, its numbers, its curves, and what a network sees of it."""

from dataclasses import dataclass, replace

import numpy as np

from wsi_scale.report.words import REASON_WORDS, mpp_text
from wsi_scale.results.scale_map import MEANINGS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid
from wsi_scale.slides.field import Field
from wsi_scale.units import pixels

#: Largest side of a picture of the tile, pixels.
MOST_PX = 512


@dataclass(frozen=True)
class PlaceView:
    """A picture of a place.

    Attributes
    ----------
    field
        What it shows, level-0 pixels.
    size_px
        Its side in pixels.
    side_um, mpp
        The same in µm, and µm per pixel.
    where
        What its pixels are, in words; "" where the mpp says all.
    """

    field: Field
    size_px: int
    side_um: float
    mpp: float
    where: str = ""


@dataclass(frozen=True)
class Place:
    """A tile of a scale map, and how it is shown."""

    row: int
    col: int
    native: PlaceView
    optimal: PlaceView | None
    numbers: tuple[tuple[str, str], ...]
    reason: str


def place_at(scale_map: ScaleMap, row: int, col: int) -> Place | None:
    """Describe a tile of a map; None where no tile lies.

    ``native`` is the tile itself in level 0's own pixels; ``optimal`` has as many pixels as the tile, at its optimal
    mpp, about the same centre.
    """
    grid = scale_map.grid
    if not (0 <= row < grid.rows and 0 <= col < grid.cols):
        return None
    reason = Reason(int(scale_map.reason[row, col]))
    if reason == Reason.GLASS:
        return None
    side_um = grid.tile_px * grid.mpp
    own_px = round(pixels(side_um, grid.mpp_x))
    native = _view(grid, row, col, side_um, min(own_px, MOST_PX))
    # A whole number of pixels is not quite as wide as the tile: told is what level 0 has, not what rounding makes it.
    exact = own_px <= MOST_PX
    native = replace(native, mpp=grid.mpp_x, where="level 0") if exact else replace(native, where="made smaller")
    best = float(scale_map.optimal_mpp[row, col])
    optimal = _view(grid, row, col, grid.tile_px * best, grid.tile_px) if np.isfinite(best) else None
    words = "" if reason == Reason.ANSWERED else REASON_WORDS[reason]
    return Place(row, col, native, optimal, tuple(_numbers(scale_map, row, col)), words)


def curves_at(scale_map: ScaleMap, row: int, col: int) -> dict[str, list[float | None]]:
    """Return each layer's response on the rungs at a tile; None on a rung that was not computed."""
    return {
        layer: [float(f"{value:.5g}") if np.isfinite(value) else None for value in values[row, col].tolist()]
        for layer, values in scale_map.curves.items()
    }


def _view(grid: TileGrid, row: int, col: int, side_um: float, size_px: int) -> PlaceView:
    """Return a square field about the centre of a tile."""
    half_um = grid.tile_px * grid.mpp / 2
    left_um, top_um = (number * grid.step_um + half_um - side_um / 2 for number in (col, row))
    x, width = pixels(left_um, grid.mpp_x), pixels(side_um, grid.mpp_x)
    y, height = pixels(top_um, grid.mpp_y), pixels(side_um, grid.mpp_y)
    return PlaceView(Field(x, y, width, height), size_px, side_um, side_um / size_px)


def _numbers(scale_map: ScaleMap, row: int, col: int) -> list[tuple[str, str]]:
    """(name, value with unit) of every channel that has a value."""
    found = []
    for label, meaning in MEANINGS.items():
        value = float(scale_map.channel(label)[row, col])
        if np.isfinite(value):
            found.append(
                (meaning.title, mpp_text(value) if meaning.unit == "1" else f"{mpp_text(value)} {meaning.unit}")
            )
    return found
