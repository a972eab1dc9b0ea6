"""``tile-regions.geojson``: the user's regions that the tiles of a slide lie in, as QuPath reads annotations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsi_scale.artifacts import names
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError
from wsi_scale.results.regions import Region

NAME = names.REGIONS


def write_regions(folder: Path, regions: Sequence[Region]) -> None:
    """Write the outlines, in level-0 pixels; without any, those of an earlier run are removed.

    Raises
    ------
    ArtifactError
        The folder cannot be written.
    """
    if not regions:
        try:
            (folder / NAME).unlink(missing_ok=True)
        except OSError as error:
            raise ArtifactError(f"cannot remove {folder / NAME}, which is out of date: {error.strerror}") from error
        return
    content = {"type": "FeatureCollection", "features": [_feature(region) for region in regions]}
    with replacing_file(folder / NAME) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def read_regions(folder: Path) -> tuple[Region, ...]:
    """Read the outlines.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    path = folder / NAME
    try:
        return tuple(_region(feature) for feature in json.loads(path.read_bytes())["features"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise ArtifactError(f"cannot read {path} ({error}); run `wsi-scale tile` again") from error


def _feature(region: Region) -> dict[str, Any]:
    label = {"classification": {"name": region.label}} if region.label else {}
    rings = [[ring.tolist() for ring in rings] for rings in region.polygons]
    return {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
        "properties": {"objectType": "annotation", "name": region.name, **label},
    }


def _region(feature: Any) -> Region:
    properties = feature["properties"]
    parts = [
        [np.array(ring, np.float64).reshape(-1, 2) for ring in part] for part in feature["geometry"]["coordinates"]
    ]
    label = properties["classification"]["name"] if "classification" in properties else ""
    return Region(str(properties["name"]), str(label), tuple(map(tuple, parts)))
