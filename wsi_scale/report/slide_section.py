"""A slide's section of a report: its figures and texts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.report.colors import CONFIDENCE_SCALE, mpp_scale
from wsi_scale.report.images import photograph, underlay
from wsi_scale.report.maps import MapDrawing, MapFrame, lay_map
from wsi_scale.report.plots import distribution_figure, layer_figures
from wsi_scale.report.slide_view import SlideView
from wsi_scale.report.svg import inline_svg
from wsi_scale.report.words import (
    by_downsample,
    mpp_text,
    no_brightfield_words,
    prediction_words,
    quartiles_words,
    slide_facts,
    unanswered_words,
)
from wsi_scale.results.regions import RegionSummary, sum_up_regions
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.results.summary import quartiles

#: Largest width and height of the slide in a drawing of the map, and of the confidence.
_MAP_BOX, _CONFIDENCE_BOX = (320.0, 260.0), (180.0, 180.0)

_NOT_SUMMED_UP = "; there is no summary, because this is not brightfield tissue"


@dataclass(frozen=True)
class Picture:
    """An embedded picture with its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Curve:
    """A layer's name and its plot."""

    layer: str
    svg: str


@dataclass(frozen=True)
class Scale:
    """Result of the scale search.

    Attributes
    ----------
    words
        One sentence with numbers.
    unanswered
        How many places have no optimal mpp, and why; "" if there are none.
    method
        How it was found.
    optimal, confidence
        Maps.
    curves
        One a layer; none for slides that are not brightfield tissue.
    distribution
        An ``<svg>`` element, or "" for slides that are not brightfield tissue.
    """

    words: str
    unanswered: str
    method: str
    optimal: MapDrawing
    confidence: MapDrawing
    curves: tuple[Curve, ...]
    distribution: str


@dataclass(frozen=True)
class SlideSection:
    """Everything that the template of a slide shows."""

    view: SlideView
    anchor: str
    facts: list[tuple[str, str]]
    warnings: list[str]
    thumbnail: Picture | None
    overlay: Picture | None
    tiles_words: str
    scale: Scale | None
    no_scale: str
    no_brightfield: str
    regions: tuple[RegionSummary, ...]
    prediction_words: str
    by_downsample: list[tuple[str, str]]


def lay_section(view: SlideView, anchor: str) -> SlideSection:
    """Make a slide's section; ``anchor`` is its id on the page."""
    warnings = view.info.get("warnings")
    readable = view.info.get("status") == "ok"
    scale = _scale(view) if view.scale_map is not None else None
    return SlideSection(
        view=view,
        anchor=anchor,
        facts=slide_facts(view.info),
        warnings=[str(warning) for warning in warnings] if readable and isinstance(warnings, list) else [],
        thumbnail=Picture(*photograph(view.thumbnail)) if view.thumbnail else None,
        overlay=Picture(*photograph(view.overlay)) if view.overlay else None,
        tiles_words=_tiles_words(view),
        scale=scale,
        no_brightfield=no_brightfield_words(view.prediction) if view.prediction else "",
        no_scale=_no_scale(view.scale_map) if view.scale_map and not scale else "",
        regions=sum_up_regions(view.tiles, view.scale_map) if view.tiles else (),
        prediction_words=prediction_words(view.prediction) if view.prediction else "",
        by_downsample=by_downsample(view.prediction) if view.prediction and view.prediction.is_brightfield else [],
    )


def _tiles_words(view: SlideView) -> str:
    if view.tiles is None:
        return ""
    grid = view.tiles.grid
    side = f"{grid.tile_px * grid.mpp:.4g} µm ({grid.tile_px} px at {mpp_text(grid.mpp)} µm/px)"
    return f"{len(view.tiles)} tiles of {side} on a grid of {grid.rows} × {grid.cols}"


def _scale(view: SlideView) -> Scale | None:
    """Make figures of the scale search; None if no tile has an optimal mpp.

    A slide that is not brightfield tissue gets maps, but no summary numbers.
    """
    scale_map = view.scale_map
    if scale_map is None or not np.isfinite(scale_map.channel("optimal_mpp")).any():
        return None
    optimal, confidence = scale_map.channel("optimal_mpp"), scale_map.channel("confidence")
    answers = optimal[np.isfinite(optimal)]
    tiles = max(len(view.tiles) if view.tiles else 0, len(answers))
    middle = quartiles(answers).median
    summed_up = view.prediction is None or view.prediction.is_brightfield
    sums = _summed_up(scale_map) if summed_up else _NOT_SUMMED_UP
    words = f"{len(answers)} of {tiles} tiles have an optimal mpp{sums}."
    described = "Map of the confidence"
    if summed_up and np.isfinite(confidence).any():
        described += f", median {quartiles(confidence[np.isfinite(confidence)]).median:.2f}"
    unreadable = _unreadable(scale_map)
    pale = underlay(view.thumbnail) if view.thumbnail else ""
    return Scale(
        words=words,
        unanswered=unanswered_words(scale_map.unanswered()),
        method=_method(scale_map),
        optimal=lay_map(
            optimal,
            scale_map.grid,
            mpp_scale(optimal, scale_map.attributes.get("optimal_mpp_per_um") if summed_up else None),
            MapFrame(f"Scale map. {words}", _MAP_BOX, pale, view.regions),
            unreadable,
        ),
        confidence=lay_map(
            confidence,
            scale_map.grid,
            CONFIDENCE_SCALE,
            MapFrame(described, _CONFIDENCE_BOX, regions=view.regions),
            unreadable,
        ),
        curves=tuple(_curves(scale_map, middle)) if summed_up else (),
        distribution=inline_svg(distribution_figure(answers), f"Histogram. {words}") if summed_up else "",
    )


def _no_scale(scale_map: ScaleMap) -> str:
    said = "No tile has an optimal mpp, so there is no map."
    return f"{said} {unanswered_words(scale_map.unanswered())}".rstrip()


def _summed_up(scale_map: ScaleMap) -> str:
    optimal, radius = (values[np.isfinite(values)] for values in (scale_map.optimal_mpp, scale_map.dominant_radius_um))
    words = f": {quartiles_words(optimal, 'µm/px')}"
    return f"{words}; dominant radius: {quartiles_words(radius, 'µm')}" if len(radius) else words


def _unreadable(scale_map: ScaleMap) -> NDArray[np.bool_] | None:
    unreadable: NDArray[np.bool_] = scale_map.reason == Reason.UNREADABLE
    return unreadable if unreadable.any() else None


def _method(scale_map: ScaleMap) -> str:
    method, network = scale_map.attributes.get("method"), scale_map.attributes.get("network")
    return " with ".join(str(part) for part in (method, network) if part)


def _curves(scale_map: ScaleMap, median_mpp: float) -> Iterator[Curve]:
    for layer, figure in layer_figures(scale_map):
        described = f"Median response of {layer} against µm per pixel; median optimal mpp {mpp_text(median_mpp)}"
        yield Curve(layer, inline_svg(figure, described))
