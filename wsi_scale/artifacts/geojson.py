"""``tiles.geojson``: the tiles with their values, for QuPath (drag and drop)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from wsi_scale.artifacts import names
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.results.scale_map import CHANNELS, REASON_COLORS, Reason, ScaleMap
from wsi_scale.results.tiles import TileTable

NAME = names.GEOJSON


def write_geojson(folder: Path, tiles: TileTable, scale_map: ScaleMap) -> None:
    """Write one QuPath tile object for each tile; coordinates are level-0 pixels.

    A tile without an optimal mpp has the reason as its class; the user's region of a tile is in its metadata.
    """
    features = [_feature(tiles, index, scale_map.grid.tile_size, scale_map) for index in range(len(tiles))]
    content = {"type": "FeatureCollection", "features": features}
    with replacing_file(folder / NAME) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def _feature(tiles: TileTable, index: int, size: tuple[float, float], scale_map: ScaleMap) -> dict[str, Any]:
    x, y = int(tiles.x[index]), int(tiles.y[index])
    right, bottom = round(x + size[0], 2), round(y + size[1], 2)
    values = scale_map.image[:, tiles.row[index], tiles.col[index]]
    measurements = {
        name: round(float(value), 5) for name, value in zip(CHANNELS, values, strict=True) if np.isfinite(value)
    }
    reason = Reason(scale_map.reason[tiles.row[index], tiles.col[index]])
    answered = reason == Reason.ANSWERED
    why = {} if answered else {"classification": {"name": reason.label, "color": REASON_COLORS[reason]}}
    ring = [[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "objectType": "tile",
            "name": f"{tiles.row[index]}, {tiles.col[index]}",
            "isLocked": True,
            **why,
            **_metadata(tiles, index),
            "measurements": measurements,
        },
    }


def _metadata(tiles: TileTable, index: int) -> dict[str, dict[str, str]]:
    """Texts of a tile, which QuPath shows from version 0.5 on."""
    texts = {name: str(values[index]) for name, values in tiles.regions().items() if values[index]}
    return {"metadata": texts} if texts else {}
