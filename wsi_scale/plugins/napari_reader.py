"""A slide's results in napari: slide, scale map, confidence and tiles on one another, in µm.

World coordinates are µm from the slide's top left corner, (y, x). napari puts the centre of an array's first pixel at
the layer's ``translate``.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.names import SCALE_MAP, SLIDE_INFO, TILES
from wsi_scale.artifacts.pictures import read_thumbnail
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.jobs.cohort import job_in
from wsi_scale.jobs.current import current_info, current_map, current_regions, current_tiles
from wsi_scale.jobs.job import SlideJob
from wsi_scale.report.colors import LEAST_CONFIDENCE
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import MEANINGS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid, TileTable
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide

#: What napari takes from a reader: data, keyword arguments of the layer, its kind.
Layer = tuple[Any, dict[str, Any], str]
Paths = str | PathLike[str] | Sequence[str | PathLike[str]]

#: Side of the blocks in which the slide is read, pixels.
_BLOCK_PX = 1024
#: Channels of the map that become layers, and their colours; only the first is shown at once.
_CHANNELS = {"optimal_mpp": "viridis", "confidence": "gray", "dominant_radius_um": "plasma"}
_UNITS = ("um", "um")


def get_reader(path: Paths) -> Callable[[Paths], list[Layer]] | None:
    """Return what opens a path in napari, or None if it is no result of this program.

    Parameters
    ----------
    path
        A slide's folder of results, the ``slide.json`` in it, or its scale map (``scale.ome.zarr``).
    """
    if not isinstance(path, str | PathLike):
        return None
    place = Path(path)
    folder = place.parent if place.name == SLIDE_INFO else place
    if _is_results(folder):
        return lambda _: _open_results(folder)
    if place.name == SCALE_MAP and _is_own_map(place.parent):
        return lambda _: _open_map(place.parent)
    return None


def _is_results(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (SLIDE_INFO, TILES))


def _is_own_map(folder: Path) -> bool:
    try:
        read_scale_map(folder)
    except ArtifactError:
        return False
    return True


def _open_results(folder: Path) -> list[Layer]:
    job = job_in(folder)
    tiles, name = current_tiles(job), job.row.slide_id
    layers = [_slide_layer(job, tiles.grid)]
    scale_map = current_map(job) if (job.folder / SCALE_MAP).exists() else None
    if scale_map is not None:
        layers += _map_layers(scale_map, name)
    if regions := current_regions(job):
        layers.append(_region_layer(regions, tiles.grid, name))
    return [*layers, _tile_layer(tiles, scale_map, name)]


def _open_map(folder: Path) -> list[Layer]:
    scale_map, _ = read_scale_map(folder)
    return list(_map_layers(scale_map, folder.resolve().name))


def _slide_layer(job: SlideJob, grid: TileGrid) -> Layer:
    """Lay the slide itself beneath, or its thumbnail where the slide is not at hand."""
    said: dict[str, Any] = {"name": job.row.slide_id, "rgb": True}
    slide = _slide_of(current_info(job))
    if slide is not None:
        side = (grid.mpp_y, grid.mpp_x)
        held = _Held(slide)
        levels = [_lazy(held, level) for level in range(len(slide.levels))]
        return levels, said | {"multiscale": True} | _placed(side, (side[0] / 2, side[1] / 2)), "image"
    thumbnail = read_thumbnail(job.folder)
    rows, cols = thumbnail.shape[:2]
    side = (grid.slide_height * grid.mpp_y / rows, grid.slide_width * grid.mpp_x / cols)
    said["name"] += " (thumbnail)"
    return thumbnail, said | _placed(side, (side[0] / 2, side[1] / 2)), "image"


def _slide_of(info: SlideInfo) -> Slide | None:
    """Open the slide that was inspected; None if it has moved, or another one lies there."""
    try:
        slide = open_slide(Path(info.path))
    except SlideError:
        return None
    if (slide.width, slide.height) == info.size:
        return slide
    slide.close()
    return None


class _Held:
    """An opened slide, closed when the last layer that reads it is gone."""

    def __init__(self, slide: Slide) -> None:
        self.slide = slide
        weakref.finalize(self, slide.close)


def _lazy(held: _Held, level: int) -> Any:
    """(row, col, rgb) a level of the slide, read block by block when it is shown."""
    import dask.array as da

    own = held.slide.levels[level]

    def read(block_info: Any = None) -> NDArray[np.uint8]:
        (top, bottom), (left, right), _ = block_info[None]["array-location"]
        return held.slide.read(level, left, top, right - left, bottom - top)

    shape = (own.height, own.width, 3)
    places = da.empty(shape, dtype=np.uint8, chunks=(_BLOCK_PX, _BLOCK_PX, 3))
    meta = np.empty((0, 0, 0), np.uint8)
    return da.map_blocks(read, chunks=places.chunks, dtype=np.uint8, meta=meta)  # type: ignore[no-untyped-call]


def _map_layers(scale_map: ScaleMap, name: str) -> Iterator[Layer]:
    """Lay channels of the map, each pixel about the centre of its tile; what is not sure enough is left out.

    Of confidence itself all is there, and of the tiles every value.
    """
    grid = scale_map.grid
    half = grid.tile_px * grid.mpp / 2
    unsure = ~(scale_map.confidence >= LEAST_CONFIDENCE)
    for label, colormap in _CHANNELS.items():
        values = scale_map.channel(label)
        if label != "confidence":
            values = np.where(unsure, np.float32(np.nan), values)
        finite = values[np.isfinite(values)]
        if not finite.size:
            continue
        title, unit, _ = MEANINGS[label]
        low, high = (0.0, 1.0) if unit == "1" else np.percentile(finite, (2, 98)).tolist()
        high = high if high > low else low + 1.0
        said = {
            # There is no legend: the name tells the ends of the colours, and has no room for the slide's.
            "name": f"{title} {low:.3g}–{high:.3g}" + ("" if unit == "1" else f" {unit}"),
            "metadata": {"slide": name},
            "colormap": colormap,
            "contrast_limits": (low, high),
            "opacity": 0.6,
            "interpolation2d": "nearest",
            "visible": label == "optimal_mpp",
        }
        yield values, said | _placed((grid.step_um, grid.step_um), (half, half)), "image"


def _region_layer(regions: Sequence[Region], grid: TileGrid, name: str) -> Layer:
    """Lay the outlines of the user's regions with their names; holes are outlines of their own."""
    rings = [(region, ring) for region in regions for rings in region.polygons for ring in rings]
    height, width = grid.slide_height * grid.mpp_y, grid.slide_width * grid.mpp_x
    edge = max(width, height) / 400
    lowest = min(np.ptp(ring[:, 1]) for _, ring in rings) * grid.mpp_y
    said = {
        "name": f"regions – {name}",
        "shape_type": "polygon",
        "face_color": "transparent",
        "edge_color": "black",
        "edge_width": edge,
        "opacity": 1.0,
        "features": {
            key: [getattr(region, own) for region, _ in rings]
            for key, own in (("region", "name"), ("region_class", "label"))
        },
        # Names stand upon what they are anchored to, and above the slide black on black: moved down, but not out of
        # the smallest region.
        "text": {
            "string": "{region}",
            "anchor": "upper_left",
            "color": "black",
            "size": 12,
            "translation": (float(min(height / 25, lowest / 3)), edge),
        },
    }
    outlines = [ring[:, ::-1] * (grid.mpp_y, grid.mpp_x) for _, ring in rings]
    return outlines, said | _placed((1.0, 1.0), (0.0, 0.0)), "shapes"


def _tile_layer(tiles: TileTable, scale_map: ScaleMap | None, name: str) -> Layer:
    """Lay tiles as squares about their centres, with their values as features."""
    grid = tiles.grid
    centers = (tiles.centers() * (grid.mpp_x, grid.mpp_y))[:, ::-1]
    values: dict[str, Any] = {"tile": tiles.names(), "tissue_fraction": tiles.tissue_fraction, **tiles.regions()}
    if scale_map is not None:
        values |= {label: scale_map.channel(label)[tiles.row, tiles.col] for label in MEANINGS}
        values["reason"] = [Reason(code).label for code in scale_map.reason[tiles.row, tiles.col]]
    said = {
        "name": f"tiles – {name}",
        "features": values,
        "size": grid.tile_px * grid.mpp,
        "symbol": "square",
        "face_color": "transparent",
        # Thin and half clear: frames of many small tiles must not hide the slide.
        "border_color": "white",
        "border_width": 0.01,
        "opacity": 0.5,
    }
    return centers, said | _placed((1.0, 1.0), (0.0, 0.0)), "points"


def _placed(scale: tuple[float, float], translate: tuple[float, float]) -> dict[str, Any]:
    """Place a layer: µm per pixel and the centre of the first pixel, (y, x)."""
    return {"scale": scale, "translate": translate, "units": _UNITS, "axis_labels": ("y", "x")}
