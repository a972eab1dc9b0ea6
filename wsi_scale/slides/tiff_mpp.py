"""µm per pixel from a TIFF's own tags or OME-XML, in whatever unit they use."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import tifffile

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import opening
from wsi_scale.units import micrometres_per_unit

#: ResolutionUnit (TIFF 6.0, and two that newer writers use) as units of length; 1 means "no unit".
_RESOLUTION_UNITS = {2: "inch", 3: "cm", 4: "mm", 5: "µm"}


def read_tiff_mpp(path: Path) -> tuple[float, float] | None:
    """µm per pixel of a TIFF's first image along x and y.

    OME-XML (``PhysicalSizeX`` and ``Y`` with any unit of length) comes before the resolution tags, which
    count only with a unit: their own ``ResolutionUnit``, or ImageJ's.

    Parameters
    ----------
    path
        A TIFF that ``check_tiff`` has let through.

    Returns
    -------
    tuple of float or None
        None where the file says nothing.
    """
    try:
        with opening(path), tifffile.TiffFile(path) as file:
            if file.is_ome and (size := _ome_size(file.ome_metadata or "")):
                return size
            page = file.pages.first
            unit = _imagej_unit(page.description) if file.is_imagej else None
            return _tag_size(page, unit)
    except SlideError:
        return None


def _ome_size(xml: str) -> tuple[float, float] | None:
    """Physical size of the first image's pixels in µm."""
    if "<!ENTITY" in xml:  # OME-XML has none; a file that does may grow without bound
        return None
    try:
        root = ET.fromstring(xml)  # noqa: S314 — entities are refused above
    except ET.ParseError:
        return None
    pixels = next((element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    x, y = (_ome_length(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit")) for axis in "XY")
    return _both(x, y)


def _ome_length(size: str | None, unit: str | None) -> float | None:
    factor = micrometres_per_unit(unit or "µm")
    try:
        return float(size) * factor if size and factor else None
    except ValueError:
        return None


def _imagej_unit(description: str) -> str | None:
    """Find the unit of length in ImageJ's description, e.g. ``micron``."""
    found = re.search(r"^unit=(.+)$", description, re.MULTILINE)
    return found[1].strip().replace("\\u00B5", "µ") if found else None


def _tag_size(page: tifffile.TiffPage, unit: str | None) -> tuple[float, float] | None:
    """Pixel size from XResolution and YResolution (pixels per unit)."""
    stated = page.tags.get("ResolutionUnit")
    unit = unit or _RESOLUTION_UNITS.get(int(stated.value) if stated else 2)
    factor = micrometres_per_unit(unit) if unit else None
    if factor is None:
        return None
    x, y = (_per_unit(page.tags.get(name)) for name in ("XResolution", "YResolution"))
    return _both(factor / x if x else None, factor / y if y else None)


def _per_unit(tag: tifffile.TiffTag | None) -> float | None:
    if tag is None:
        return None
    value = tag.value
    numerator, denominator = value if isinstance(value, tuple) else (value, 1)
    return numerator / denominator if numerator and denominator else None


def _both(x: float | None, y: float | None) -> tuple[float, float] | None:
    """Both axes, where one that is missing equals the other."""
    known = [value for value in (x, y) if value is not None and math.isfinite(value)]
    if not known:
        return None
    return (x if x is not None else known[0], y if y is not None else known[-1])
