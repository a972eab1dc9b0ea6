"""A map of the tiles' values at its place on the slide, with axes in mm and a legend."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.report.colors import ColorScale
from wsi_scale.report.images import pixels_uri
from wsi_scale.report.region_names import place_names
from wsi_scale.report.ticks import linear_ticks, short
from wsi_scale.results.regions import Region
from wsi_scale.results.tiles import TileGrid

#: Room for the axes' labels left of and above the slide, units of the drawing.
_LEFT, _TOP, _RIGHT, _BOTTOM = 44.0, 8.0, 16.0, 86.0
#: Room for a second scale under the legend.
_RADII = 46.0
#: Room for the key to what cannot be read.
_KEY = 22.0
#: Width of a letter of a region's name, and height of its line.
_LETTER, _LINE = 7.0, 12.0
#: A drawing is at least this wide, so that the legend's labels do not touch.
_LEAST_WIDTH = 220.0


@dataclass(frozen=True)
class MapDrawing:
    """All that the template needs to draw a map; lengths in units of the drawing.

    Attributes
    ----------
    width, height
        Of the drawing.
    left, top, slide_width, slide_height
        The slide's rectangle in it.
    slide_um
        The slide's width and height in µm.
    map_um
        Left, top, width and height of the map on the slide, µm.
    map_uri, underlay_uri, legend_uri
        Pictures; without an underlay "".
    ticks_x, ticks_y
        (place, label) along the slide, mm.
    legend_ticks, radius_ticks
        (place 0–1, label) of the legend's own scale, and of radii in µm along it, if there are any.
    legend_label, description
        In words.
    unreadable_path
        Outline of the places that cannot be decoded, as an SVG path in the drawing; "" without any.
    unreadable_words
        How many these are.
    regions
        Of each region its outline as an SVG path in the drawing, the place of its name, and the name; "" where there is
        no room for it.
    """

    width: float
    height: float
    left: float
    top: float
    slide_width: float
    slide_height: float
    slide_um: tuple[float, float]
    map_um: tuple[float, float, float, float]
    map_uri: str
    underlay_uri: str
    legend_uri: str
    ticks_x: list[tuple[float, str]]
    ticks_y: list[tuple[float, str]]
    legend_ticks: list[tuple[float, str]]
    radius_ticks: list[tuple[float, str]]
    legend_label: str
    description: str
    unreadable_path: str
    unreadable_words: str
    regions: list[tuple[str, float, float, str]]


@dataclass(frozen=True)
class MapFrame:
    """The surroundings of a map.

    Attributes
    ----------
    description
        The map in words.
    box
        Largest width and height of the slide in the drawing.
    underlay_uri
        A picture of the whole slide under the map; "" for none.
    regions
        Outlined on the map, with their names.
    """

    description: str
    box: tuple[float, float]
    underlay_uri: str = ""
    regions: Sequence[Region] = ()


def lay_map(
    values: NDArray[np.floating],
    grid: TileGrid,
    scale: ColorScale,
    frame: MapFrame,
    unreadable: NDArray[np.bool_] | None = None,
) -> MapDrawing:
    """Lay out a map.

    Parameters
    ----------
    values
        (row, col), NaN where nothing is drawn.
    grid
        Where the map lies.
    frame
        What is around the map.
    unreadable
        (row, col) places that cannot be decoded; drawn hatched.
    """
    width_um, height_um = grid.slide_width * grid.mpp_x, grid.slide_height * grid.mpp_y
    per_um = min(frame.box[0] / width_um, frame.box[1] / height_um)
    slide_width, slide_height = width_um * per_um, height_um * per_um
    # A map pixel is as wide as the step between tiles, around each tile's centre.
    margin_um = (grid.tile_px * grid.mpp - grid.step_um) / 2
    legend = np.linspace(scale.low, scale.high, 256)
    if scale.logarithmic:
        legend = np.geomspace(scale.low, scale.high, 256)
    hatching, radii = "", scale.radius_ticks()
    if unreadable is not None:
        hatching = _hatching(unreadable, margin_um * per_um, grid.step_um * per_um, (slide_width, slide_height))
    return MapDrawing(
        width=max(_LEFT + slide_width + _RIGHT, _LEAST_WIDTH),
        height=_TOP + slide_height + _BOTTOM + (_RADII if radii else 0) + (_KEY if hatching else 0),
        left=_LEFT,
        top=_TOP,
        slide_width=slide_width,
        slide_height=slide_height,
        slide_um=(width_um, height_um),
        map_um=(margin_um, margin_um, grid.cols * grid.step_um, grid.rows * grid.step_um),
        map_uri=pixels_uri(scale.paint(values)),
        underlay_uri=frame.underlay_uri,
        legend_uri=pixels_uri(scale.paint(legend[np.newaxis])),
        ticks_x=_ticks(width_um, per_um),
        ticks_y=_ticks(height_um, per_um),
        legend_ticks=scale.ticks(),
        radius_ticks=radii,
        legend_label=scale.label,
        description=frame.description,
        unreadable_path=hatching,
        unreadable_words=f"cannot be read ({int(unreadable.sum())})" if unreadable is not None else "",
        regions=_outlined(
            frame.regions, (slide_width / grid.slide_width, slide_height / grid.slide_height), slide_width
        ),
    )


def _outlined(
    regions: Sequence[Region], scale: tuple[float, float], slide_width: float
) -> list[tuple[str, float, float, str]]:
    """Paths of regions in the drawing, and their names beneath their highest corners."""
    tops = (np.multiply(region.top, scale).tolist() for region in regions)
    names = [(_LEFT + x + 4, _TOP + max(y, 0) + 16, own.name) for (x, y), own in zip(tops, regions, strict=True)]
    paths = []
    for region in regions:
        rings = (ring * scale + (_LEFT, _TOP) for rings in region.polygons for ring in rings)
        paths.append("".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring.tolist()) + "z" for ring in rings))
    placed = place_names(names, _LETTER, _LINE, _LEFT + slide_width + _RIGHT)
    return [(path, *place) for path, place in zip(paths, placed, strict=True)]


def _hatching(places: NDArray[np.bool_], margin: float, step: float, size: tuple[float, float]) -> str:
    """One closed rectangle of the path for each place, cut off at the slide's edge; lengths as in the drawing."""
    path = []
    for row, col in np.argwhere(places):
        x, y = margin + col * step, margin + row * step
        width, height = min(step, size[0] - x), min(step, size[1] - y)
        path.append(f"M{_LEFT + x:.2f} {_TOP + y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z")
    return "".join(path)


def _ticks(length_um: float, per_um: float) -> list[tuple[float, str]]:
    """Ticks in mm along a side; few on a short side, so that their labels do not touch."""
    ticks = linear_ticks(length_um / 1e3)
    if length_um * per_um < 30 * len(ticks):
        ticks = [ticks[0], ticks[-1]] if length_um * per_um >= 30 else ticks[:1]
    return [(mm * 1e3 * per_um, short(mm)) for mm in ticks]
