"""What a store in OME-Zarr 0.4 or 0.5 says of its images: which one is the slide, its levels, axes and pixel size."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from wsi_scale.errors import SlideError
from wsi_scale.slides.mpp_claim import MppClaim
from wsi_scale.units import micrometres_per_unit

#: Files that describe a node of a Zarr store: Zarr 3, then Zarr 2.
NODE_FILES = ("zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata")

#: Versions that are read.
_VERSIONS = ("0.4", "0.5")
#: Layout of bioformats2raw: one image in each numbered group.
_SERIES = "bioformats2raw.layout"
#: What writers call the channels of a picture in colour, and the colours that viewers give them.
_RGB_NAMES = (("red", "green", "blue"), ("r", "g", "b"))
_RGB_COLORS = ("ff0000", "00ff00", "0000ff")


@dataclass(frozen=True)
class OmeZarrImage:
    """One multiscale image of a store.

    Attributes
    ----------
    group
        Folder of its group.
    axes
        Names of its axes in the arrays' order: some of t, c, z, then y, x.
    levels
        Path of each level's array within the group, finest first.
    scales
        Of each level (x, y): length of a pixel in the axes' units; 1 where nothing is said.
    units
        Unit of x and y; "" where none is said.
    channels
        ``omero`` metadata of each channel; empty where there is none.
    """

    group: Path
    axes: tuple[str, ...]
    levels: tuple[str, ...]
    scales: tuple[tuple[float, float], ...]
    units: tuple[str, str]
    channels: tuple[Mapping[str, Any], ...]

    @property
    def mpp_claim(self) -> MppClaim | None:
        """µm per pixel of level 0, if its units are lengths."""
        factors = [micrometres_per_unit(unit) for unit in self.units]
        x, y = (scale * factor if factor else math.nan for scale, factor in zip(self.scales[0], factors, strict=True))
        return None if None in factors else MppClaim("ome", x, y)

    @property
    def why_no_mpp(self) -> str:
        """Why there is no such claim, and what to do; "" where nothing is said of a pixel's size at all."""
        x, y = self.scales[0]
        if self.mpp_claim is not None or (x, y) == (1.0, 1.0):
            return ""
        unit = " or ".join(sorted({unit for unit in self.units if unit and not micrometres_per_unit(unit)}))
        said = f"the unit {unit!r}, which is no length" if unit else "no unit"
        return (
            f"the store has a scale of {x:g} (x) and {y:g} (y) with {said}; if that is in µm, write "
            f'"unit": "micrometer" to the axes x and y in its metadata'
        )

    @property
    def declares_colour(self) -> bool | None:
        """Whether three channels are said to be red, green and blue; None where nothing tells them apart."""
        if len(self.channels) != 3:
            return None
        names = tuple(str(channel.get("label", "")).lower() for channel in self.channels)
        colors = tuple(str(channel.get("color", "")).lower().lstrip("#") for channel in self.channels)
        if names in _RGB_NAMES or colors == _RGB_COLORS:
            return True
        return None if len(set(colors)) == 1 else False


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a node of a Zarr store."""
    return any(os.path.isfile(folder / name) for name in NODE_FILES)  # noqa: PTH113 - False without permission


def holds_slide(folder: Path) -> bool:
    """Whether a Zarr store declares images, and is no scale map; if it cannot be read, whether its name says so.

    Labels, tables and results of this program are no slides.
    """
    try:
        attributes = _attributes(folder)
    except (OSError, ValueError, RecursionError):
        return folder.name.lower().endswith(".ome.zarr")
    said = _ome(attributes)
    return "wsi_scale" not in attributes and "image-label" not in said and ("multiscales" in said or _SERIES in said)


def find_image(folder: Path) -> OmeZarrImage:
    """Find the image that is the slide: the only one, or of several series the one with most pixels in a plane.

    Raises
    ------
    SlideError
        The store holds none, or is none of OME-Zarr 0.4 or 0.5.
    """
    attributes = _attributes(folder)
    said = _ome(attributes)
    if "wsi_scale" in attributes:
        raise SlideError(f"{folder}: this is a result of wsi-scale, not a slide; give the slide itself")
    if "image-label" in said or "plate" in said or "well" in said:
        raise SlideError(f"{folder}: labels, plates and wells are not slides; give the folder of one image")
    if "multiscales" in said:
        return _image(folder, said)
    if _SERIES not in said:
        raise SlideError(f"{folder}: the Zarr store says of no image (multiscales) in it; give an OME-Zarr image")
    numbered = takewhile(is_zarr, (folder / str(number) for number in count()))
    images = [_image(place, own) for place in numbered if "multiscales" in (own := _ome(_attributes(place)))]
    if not images:
        raise SlideError(f"{folder}: none of its series is an image; convert the slide again")
    return max(images, key=lambda image: math.prod(plane_shape(image)))


def plane_shape(image: OmeZarrImage, level: int = 0) -> tuple[int, int]:
    """(height, width) of a level, without opening it."""
    array = image.group / image.levels[level]
    name = "zarr.json" if (array / "zarr.json").is_file() else ".zarray"
    height, width = _object(array / name)["shape"][-2:]
    return int(height), int(width)


def _attributes(folder: Path) -> dict[str, Any]:
    """Read what is said of a group."""
    if (folder / "zarr.json").is_file():
        return _as_object(_object(folder / "zarr.json").get("attributes") or {}, "its metadata")
    return _object(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}


def _object(file: Path) -> dict[str, Any]:
    """Read a metadata file of a store; what is wrong with it names the file, of which a store has many."""
    named = f"{file.parent.name}/{file.name}"
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{named} is not JSON: {error}") from error
    return _as_object(content, named)


def _as_object(content: Any, named: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{named} is no JSON object")
    return content


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take what OME-Zarr says: from 0.5 on in a key of its own."""
    own = attributes.get("ome")
    return own if isinstance(own, dict) else attributes


def _image(group: Path, said: Mapping[str, Any]) -> OmeZarrImage:
    multiscale = said["multiscales"][0]
    version, axes = str(said.get("version") or multiscale.get("version") or "0.4"), multiscale.get("axes")
    if version not in _VERSIONS or not axes or not all(isinstance(axis, dict) for axis in axes):
        raise SlideError(f"{group}: OME-Zarr {version} is not read; convert it to {' or '.join(_VERSIONS)}")
    names = tuple(str(axis["name"]) for axis in axes)
    if names[-2:] != ("y", "x") or not set(names[:-2]) <= set("tcz"):
        raise SlideError(f"{group}: its axes are {', '.join(names)}; a slide's are t, c, z, y, x, or some of these")
    whole = _scale(multiscale.get("coordinateTransformations") or [], len(names))
    scales = [_scale(dataset.get("coordinateTransformations") or [], len(names)) for dataset in multiscale["datasets"]]
    return OmeZarrImage(
        group,
        names,
        tuple(str(dataset["path"]) for dataset in multiscale["datasets"]),
        tuple((own[0] * whole[0], own[1] * whole[1]) for own in scales),
        (str(axes[-1].get("unit") or ""), str(axes[-2].get("unit") or "")),
        tuple((said.get("omero") or {}).get("channels") or ()),
    )


def _scale(transformations: list[Mapping[str, Any]], axes: int) -> tuple[float, float]:
    """Scale along x and y."""
    x, y = 1.0, 1.0
    for own in transformations:
        if own.get("type") == "scale" and "scale" in own:
            if len(own["scale"]) != axes:
                raise ValueError(f"a scale has {len(own['scale'])} numbers for {axes} axes")
            x, y = x * float(own["scale"][-1]), y * float(own["scale"][-2])
    return x, y
