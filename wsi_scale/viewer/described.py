"""What the page is told of a slide: values that JSON can hold, lengths in level-0 pixels unless they say µm."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np

from wsi_scale.report.colors import LEAST_CONFIDENCE, ColorScale, channel_scale
from wsi_scale.report.overlay import OUTLINE_RGB
from wsi_scale.report.slide_view import SlideView
from wsi_scale.report.words import REASON_WORDS, no_brightfield_words, region_words, slide_facts, verdict_words
from wsi_scale.results.regions import Region, sum_up_regions
from wsi_scale.results.scale_map import MEANINGS, REASON_COLORS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid
from wsi_scale.units import pixels
from wsi_scale.viewer.place import Place, PlaceView, curves_at
from wsi_scale.viewer.pyramid import OVERLAP_PX, TILE_PX
from wsi_scale.viewer.shown import ShownSlide

#: Channels that can lie on the slide, in the order in which they are offered.
CHANNELS = ("optimal_mpp", "dominant_radius_um", "confidence", "finest_mpp")
#: Steps of colour that the page paints with.
_STEPS = 256


def described_slide(shown: ShownSlide) -> dict[str, Any]:
    """Describe a slide with its overlays; the page asks for values and pictures when it needs them."""
    view, audit = shown.view, shown.view.audit
    scale_map, warnings = view.scale_map, view.info.get("warnings")
    return {
        "id": view.slide_id,
        "status": view.status.status,
        "reason": view.status.reason,
        "notes": [*view.notes, *([f"the thumbnail is shown, not the slide: {shown.problem}"] if shown.problem else [])],
        "warnings": [str(warning) for warning in warnings] if isinstance(warnings, list) else [],
        "no_brightfield": no_brightfield_words(view.prediction) if view.prediction else "",
        "facts": slide_facts(view.info),
        "path": view.status.path,
        "image": _image(shown),
        "claimed_mpp": audit.claimed_mpp if audit else None,
        "estimated_mpp": audit.mpp if audit else None,
        "verdict": [*verdict_words(audit), audit.reason] if audit else None,
        "grid": _grid(scale_map.grid) if scale_map else None,
        "overlays": list(_overlays(scale_map)) if scale_map else [],
        "reasons": _reasons(scale_map) if scale_map else [],
        "least_confidence": LEAST_CONFIDENCE,
        "regions": _regions(view),
        "tissue": _hex(OUTLINE_RGB) if view.thumbnail else None,
    }


def described_place(shown: ShownSlide, scale_map: ScaleMap, place: Place) -> dict[str, Any]:
    """Describe a tile: its numbers, curves and views."""
    grid = scale_map.grid
    return {
        "row": place.row,
        "col": place.col,
        "numbers": place.numbers,
        "reason": place.reason,
        "region": _region_at(shown.view, place),
        "problem": shown.problem,
        "native": _view(place.native),
        "optimal": _view(place.optimal) if place.optimal else None,
        "rungs": [float(f"{mpp:.5g}") for mpp in scale_map.rung_mpp],
        "finest_mpp": max(grid.mpp_x, grid.mpp_y),
        "curves": curves_at(scale_map, place.row, place.col),
    }


def _image(shown: ShownSlide) -> dict[str, int] | None:
    pyramid = shown.pyramid
    if pyramid is None:
        return None
    size = {"width": pyramid.width, "height": pyramid.height, "finest": pyramid.finest}
    return {**size, "tile_px": TILE_PX, "overlap_px": OVERLAP_PX}


def _grid(grid: TileGrid) -> dict[str, float]:
    """Where the cells lie: each as wide as the step between tiles, around its tile's centre."""
    margin_um, side_um = (grid.tile_px * grid.mpp - grid.step_um) / 2, grid.tile_px * grid.mpp
    return {
        "rows": grid.rows,
        "cols": grid.cols,
        "left": pixels(margin_um, grid.mpp_x),
        "top": pixels(margin_um, grid.mpp_y),
        "step_x": pixels(grid.step_um, grid.mpp_x),
        "step_y": pixels(grid.step_um, grid.mpp_y),
        "tile_width": pixels(side_um, grid.mpp_x),
        "tile_height": pixels(side_um, grid.mpp_y),
    }


def _overlays(scale_map: ScaleMap) -> Iterator[dict[str, Any]]:
    """Each channel that has values, with its colours and its legend."""
    per_um = scale_map.attributes.get("optimal_mpp_per_um")
    for label in CHANNELS:
        scale = channel_scale(label, scale_map.channel(label), per_um)
        if scale is not None:
            yield {
                "key": label,
                "title": MEANINGS[label].title,
                "unit": "" if MEANINGS[label].unit == "1" else MEANINGS[label].unit,
                "legend": scale.label,
                "low": scale.low,
                "high": scale.high,
                "logarithmic": scale.logarithmic,
                "colors": _colors(scale),
                "ticks": scale.ticks(),
                "radius_ticks": scale.radius_ticks(),
                "needs_confidence": label != "confidence",
            }


def _colors(scale: ColorScale) -> str:
    """(step, rgb) bytes of the scale from its low to its high end, base64."""
    spaced = np.geomspace if scale.logarithmic else np.linspace
    return base64.b64encode(scale.paint(spaced(scale.low, scale.high, _STEPS))[:, :3].tobytes()).decode("ascii")


def _reasons(scale_map: ScaleMap) -> list[dict[str, Any]]:
    """Why places have no optimal mpp: of those that occur, code, words, colour and how many they are.

    Where there is too little tissue lies no tile: these are counted as places.
    """
    glass = int((scale_map.reason == Reason.GLASS).sum())
    counts = {**scale_map.unanswered(), **({Reason.GLASS: glass} if glass else {})}
    return [
        {
            "code": int(reason),
            "counted": "place" if reason == Reason.GLASS else "tile",
            "words": REASON_WORDS[reason],
            "color": _hex(REASON_COLORS[reason]),
            "count": count,
        }
        for reason, count in counts.items()
    ]


def _regions(view: SlideView) -> list[dict[str, Any]]:
    """Outlines of the user's regions with their names, and what their tiles say; the smaller ones come last."""
    summaries = sum_up_regions(view.tiles, view.scale_map) if view.tiles else ()
    words = {(found.name, found.label): region_words(found) for found in summaries}
    return [
        {
            "name": region.name,
            "words": words.get((region.name, region.label), "no tiles"),
            "top": region.top,
            "rings": [np.round(ring, 1).tolist() for rings in region.polygons for ring in rings],
        }
        for region in sorted(view.regions, key=lambda region: -_spanned(region))
    ]


def _spanned(region: Region) -> float:
    """Area of the box around a region, level-0 pixels."""
    corners = np.concatenate([rings[0] for rings in region.polygons])
    return float(np.prod(np.ptp(corners, axis=0)))


def _region_at(view: SlideView, place: Place) -> str:
    """Name of the region that a tile lies in; "" without one."""
    if view.tiles is None or view.tiles.region is None:
        return ""
    found = view.tiles.region[(view.tiles.row == place.row) & (view.tiles.col == place.col)]
    return str(found[0]) if len(found) else ""


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _view(view: PlaceView) -> dict[str, float | str]:
    return {"size_px": view.size_px, "side_um": view.side_um, "mpp": view.mpp, "where": view.where}
