"""What a TIFF's header claims as its pixel size: the scanner's description, OME-XML, resolution tags."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import tifffile

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import opening
from wsi_scale.slides.mpp_claim import MppClaim
from wsi_scale.slides.tiff_header import is_ndpi
from wsi_scale.units import is_default_resolution, micrometres_per_unit

Size = tuple[int, int]

#: ResolutionUnit (TIFF 6.0, and two that newer writers use) as units of length; 1 means "no unit".
_RESOLUTION_UNITS = {2: "inch", 3: "cm", 4: "mm", 5: "µm"}

#: How Aperio's description names the pixel size, µm.
_APERIO_MPP = re.compile(r"^Aperio\b.*\|\s*MPP\s*=\s*([^|\s]+)", re.DOTALL)


def read_tiff_claims(path: Path, size: Size) -> tuple[MppClaim, ...]:
    """Read what a TIFF claims of one of its images, highest authority first.

    A file may hold a label, a macro image, a preview or several sections, each with a pixel size of its own: only
    what is said of an image of this size counts. Resolution tags count with a unit only (their own
    ``ResolutionUnit``, or ImageJ's); where they are a program's default, the claim says so.

    Parameters
    ----------
    path
        A TIFF that ``check_tiff`` has let through.
    size
        (width, height) in pixels of the image that is level 0.

    Returns
    -------
    tuple of MppClaim
        At most one for each authority; empty where the header says nothing or cannot be read.
    """
    try:
        # tifffile would tell Hamamatsu's variant by the suffix.
        with opening(path), tifffile.TiffFile(path, is_ndpi=is_ndpi(path)) as file:
            return tuple(_claims(file, size))
    except SlideError:  # the slide is open already; it only has nothing to add
        return ()


def _claims(file: tifffile.TiffFile, size: Size) -> Iterator[MppClaim]:
    page = next((page for page in _pages(file) if (page.imagewidth, page.imagelength) == size), None)
    if page is not None and (mpp := _aperio_mpp(page.description)) is not None:
        yield MppClaim("metadata", mpp, mpp)
    if file.is_ome and (pair := _ome_size(file.ome_metadata or "", size)):
        yield MppClaim("ome", *pair)
    if page is None:
        return
    unit = _imagej_unit(file.pages.first.description) if file.is_imagej else None
    pair = _tag_size(page, unit)
    if pair:
        yield MppClaim("tiff", *pair, is_default=all(map(is_default_resolution, pair)))


def _pages(file: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """Walk along the main chain, each page followed by those of its SubIFDs."""
    for page in file.pages:
        whole = page.aspage()
        yield whole
        if whole.subifds:
            yield from (below.aspage() for below in whole.pages or ())


def _aperio_mpp(description: str) -> float | None:
    """Find the pixel size in the description of a scan that Aperio's software wrote (µm)."""
    found = _APERIO_MPP.match(description)
    return _number(found[1]) if found else None


def _ome_size(xml: str, size: Size) -> tuple[float, float] | None:
    """Physical size of the pixels (µm) of the first image that has this many."""
    if "<!ENTITY" in xml:  # OME-XML has none; a file that does may grow without bound
        return None
    try:
        root = ET.fromstring(xml)  # noqa: S314 — entities are refused above
    except ET.ParseError:
        return None
    for element in root.iter():
        named = element.tag.rpartition("}")[2] == "Pixels"
        if named and tuple(_number(element.get(f"Size{axis}")) for axis in "XY") == size:
            return _both(*(_ome_length(element, axis) for axis in "XY"))
    return None


def _ome_length(pixels: ET.Element, axis: str) -> float | None:
    size = _number(pixels.get(f"PhysicalSize{axis}"))
    factor = micrometres_per_unit(pixels.get(f"PhysicalSize{axis}Unit") or "µm")
    return size * factor if size is not None and factor else None


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


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _both(x: float | None, y: float | None) -> tuple[float, float] | None:
    """Both axes, where one that is missing equals the other."""
    known = [value for value in (x, y) if value is not None and math.isfinite(value)]
    if not known:
        return None
    return (x if x is not None else known[0], y if y is not None else known[-1])
