"""Which images OME-XML declares in a TIFF, and in which of its directories they lie."""

from dataclasses import dataclass
from pathlib import PurePath
from xml.etree import ElementTree as ET

#: The axes of an OME image beside X and Y, as OME orders them where nothing else is said.
_AXES = "CZT"


@dataclass(frozen=True)
class OmeImage:
    """One image of a file's OME-XML.

    Parameters
    ----------
    index
        Its place among the XML's images, from 0.
    name
        As the XML names it.
    first
        Directory of the main chain that holds its first plane.
    sizes
        Axis and size of its planes: channels (with the samples of a colour image), depths, times; in storage order.
    """

    index: int
    name: str
    first: int
    sizes: tuple[tuple[str, int], ...]


def parse_ome(description: str, file_name: str) -> tuple[OmeImage, ...]:
    """Read the images that OME-XML places in this file.

    Parameters
    ----------
    description
        ImageDescription of the file's first directory.
    file_name
        The file's own name: of an image spread over several files only what lies in this one counts.

    Returns
    -------
    tuple of OmeImage
        Empty where there is no OME-XML, or none that can be read.
    """
    # OME-XML has no entities; a file that does may grow without bound.
    if not description.rstrip().endswith("OME>") or "<!ENTITY" in description:
        return ()
    try:
        root = ET.fromstring(description)  # noqa: S314 — entities are refused above
    except ET.ParseError:
        return ()
    names = {element.get("FileName", "") for element in root.iter() if _tag(element) == "UUID"}
    own = PurePath(file_name).name
    elsewhere = {name for name in names if PurePath(name).name != own} if len(names) > 1 else set()
    found = []
    images = [element for element in root.iter() if _tag(element) == "Image"]
    for index, image in enumerate(images):
        pixels = next((child for child in image if _tag(child) == "Pixels"), None)
        first = _first_directory(pixels, elsewhere) if pixels is not None else None
        if pixels is not None and first is not None:
            found.append(OmeImage(index, image.get("Name", ""), first, _sizes(pixels)))
    return tuple(found)


def _first_directory(pixels: ET.Element, elsewhere: set[str]) -> int | None:
    """Directory of the first plane that lies in this file (None: none does)."""
    listed = [child for child in pixels if _tag(child) == "TiffData"]
    here = [
        _number(data.get("IFD"), 0)
        for data in listed
        if not any(element.get("FileName") in elsewhere for element in data)
    ]
    return min(here, default=None) if listed else None


def _sizes(pixels: ET.Element) -> tuple[tuple[str, int], ...]:
    order = [axis for axis in pixels.get("DimensionOrder", "") if axis in _AXES]
    return tuple((axis, max(1, _number(pixels.get(f"Size{axis}"), 1))) for axis in order or _AXES)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
