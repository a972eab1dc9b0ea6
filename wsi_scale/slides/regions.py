"""Regions that a user drew on a slide, as QuPath exports them: GeoJSON with polygons in level-0 pixels."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import UserError
from wsi_scale.results.regions import Region, Ring
from wsi_scale.slides.tissue import Thumbnail

#: QuPath's objects that nobody outlines by hand; an export of "all objects" holds them beside the annotations.
_NOT_DRAWN = frozenset(("detection", "cell", "tile", "root"))

#: No side of a slide is as long as this, pixels.
_MOST_PX = 1 << 31


@dataclass(frozen=True, eq=False)
class RegionMask:
    """Regions on the thumbnail of a slide.

    Attributes
    ----------
    regions
        The regions, as they stand in the file.
    number
        (h, w) int32 which region a pixel of the thumbnail lies in, from 1; 0 outside of all. Where regions overlap, the
        smaller one counts.
    """

    regions: tuple[Region, ...]
    number: NDArray[np.int32]


def read_regions(path: Path) -> tuple[Region, ...]:
    """Read the annotations of a GeoJSON file.

    Parameters
    ----------
    path
        A FeatureCollection, a list of features or one feature, as QuPath writes them. Polygons and MultiPolygons count,
        also of TMA cores and of annotations within annotations; points, lines, cells and tiles do not.

    Raises
    ------
    UserError
        It cannot be read, is not GeoJSON, or outlines nothing.
    """
    try:
        content = json.loads(path.read_bytes())
        found = tuple(_region(feature, number) for number, feature in enumerate(_drawn(_features(content)), 1))
    except OSError as error:
        raise UserError(f"{path}: the regions cannot be read ({error.strerror}); check the path") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: this is not GeoJSON with outlined regions ({reason}); export the annotations from QuPath"
        ) from error
    if not found:
        raise UserError(f"{path}: no region is outlined there; it needs annotations that are polygons")
    return found


def draw_regions(path: Path, regions: Sequence[Region], thumbnail: Thumbnail) -> RegionMask:
    """Draw regions on a thumbnail.

    Parameters
    ----------
    path
        Where they were read, for the message.

    Raises
    ------
    UserError
        None of them lies on the slide.
    """
    shape = (thumbnail.image.shape[0], thumbnail.image.shape[1])
    scale = np.array([thumbnail.downsample_x, thumbnail.downsample_y])
    drawn = [[_box(rings, scale, shape) for rings in region.polygons] for region in regions]
    areas = [sum(int(inside.sum()) for _, inside in parts) for parts in drawn]
    if not any(areas):
        size = f"{round(shape[1] * scale[0])}x{round(shape[0] * scale[1])} px"
        raise UserError(f"{path}: none of its regions lies on the slide ({size}); they must be in pixels of level 0")
    number = np.zeros(shape, np.int32)
    for index in sorted(range(len(regions)), key=lambda index: -areas[index]):
        for place, inside in drawn[index]:
            number[place][inside] = index + 1
    return RegionMask(tuple(regions), number)


def regions_of_tiles(
    mask: RegionMask, corners: NDArray[np.float64], counted: NDArray[np.bool_]
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Tell for each tile the region that most of it lies in.

    Parameters
    ----------
    mask
        The regions on the thumbnail.
    corners
        (tile, 4): left, top, right and bottom of each tile, pixels of the thumbnail.
    counted
        (h, w) which pixels count: the tissue.

    Returns
    -------
    name, label
        (tile,) texts each: name and class of the region; "" for a tile that touches none.
    """
    number = np.where(counted, mask.number, 0)
    first = np.floor(corners[:, :2]).astype(int)
    last = np.maximum(np.ceil(corners[:, 2:]).astype(int), first + 1)
    most = np.zeros(len(corners), int)
    for index, (left, top, right, bottom) in enumerate(np.hstack([first, last]).tolist()):
        within = np.bincount(number[max(top, 0) : bottom, max(left, 0) : right].ravel(), minlength=1)
        within[0] = 0
        most[index] = within.argmax()
    names = np.array(["", *(region.name for region in mask.regions)], np.str_)
    labels = np.array(["", *(region.label for region in mask.regions)], np.str_)
    return names[most], labels[most]


def _features(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, list):
        return content
    if not isinstance(content, dict) or content.get("type") not in ("FeatureCollection", "Feature"):
        raise ValueError("its type is neither FeatureCollection nor Feature")
    features: list[dict[str, Any]] = content["features"] if content["type"] == "FeatureCollection" else [content]
    return features


def _drawn(features: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Features that somebody outlined, those within others too."""
    for feature in features:
        properties = feature.get("properties") or {}
        kind = properties.get("objectType") or properties.get("object_type")
        outlines = (feature.get("geometry") or {}).get("type") in ("Polygon", "MultiPolygon")
        if outlines and kind not in _NOT_DRAWN and not properties.get("isMissing"):
            yield feature
        yield from _drawn(properties.get("childObjects") or [])


def _region(feature: dict[str, Any], number: int) -> Region:
    properties = feature.get("properties") or {}
    label = _class_name(properties.get("classification"))
    name = str(properties.get("name") or "").strip() or label or f"region {number}"
    geometry = feature["geometry"]
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    if not all(parts):
        raise ValueError(f"{name!r} has no outline")
    return Region(name, label, tuple(tuple(_ring(ring, name) for ring in part) for part in parts))


def _class_name(classification: Any) -> str:
    """Name of a class; QuPath writes classes of several parts as a list of names."""
    if isinstance(classification, str):
        return classification.strip()
    said = classification or {}
    return str(said.get("name") or ": ".join(said.get("names") or [])).strip()


def _ring(points: Any, name: str) -> Ring:
    ring = np.array([point[:2] for point in points], np.float64)
    if ring.ndim != 2 or len(ring) < 3 or not (np.abs(ring) < _MOST_PX).all():
        raise ValueError(f"the outline of {name!r} has fewer than three corners, or a corner that is no pixel")
    return ring


def _box(
    rings: Sequence[Ring], scale: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Where a polygon lies on the thumbnail, and which pixels there have their centre inside it."""
    outline, limit = rings[0] / scale, np.array(shape[::-1])
    left, top = np.clip(np.floor(outline.min(axis=0)), 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(outline.max(axis=0)), (left, top), limit).astype(int).tolist()
    place = slice(top, bottom), slice(left, right)
    return place, _filled([ring / scale - (left, top) for ring in rings], (bottom - top, right - left))


def _filled(rings: Sequence[Ring], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w): which pixels have their centre within an odd number of rings, and so in no hole.

    scikit-image's polygons cost area × corners, minutes for an outline that a program drew; here it is area + length.
    """
    crossings = np.zeros((size[0], size[1] + 1), np.int32)
    for ring in rings:
        start, end = ring, np.roll(ring, -1, axis=0)
        # An edge crosses the rows whose centre lies between its ends.
        rows = np.ceil(np.sort(np.stack([start[:, 1], end[:, 1]]), axis=0) - 0.5).clip(0, size[0]).astype(int)
        counts = rows[1] - rows[0]
        edge = np.repeat(np.arange(len(ring)), counts)
        row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - rows[0], counts)
        (x, y), (run, rise) = start[edge].T, (end - start)[edge].T
        column = np.ceil(x + (row + 0.5 - y) * run / rise - 0.5).clip(0, size[1]).astype(int)
        np.add.at(crossings, (row, column), 1)
    return np.asarray(np.cumsum(crossings[:, :-1], axis=1) % 2 == 1)
