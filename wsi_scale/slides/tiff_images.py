"""Find the image of a TIFF that is the slide, and the directories that are its levels.

A file may hold a label, a macro image, a preview, several sections, several channels, and levels in any order. The
largest image in colour is the slide, wherever it stands.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wsi_scale.slides.levels import could_be_level
from wsi_scale.slides.ome import OmeImage
from wsi_scale.slides.tiff_header import Directory

_MINISWHITE, _MINISBLACK, _MASK = 0, 1, 4
_REDUCED_BIT, _MASK_BIT = 1, 4

#: An image in grey (a mask, a channel) outranks one in colour only if it has more than this many times its pixels.
_GREY_OUTRANKS = 4

#: Images with less than this share of the slide's pixels are labels and previews, not other sections.
_SECTION_SHARE = 1 / 8
_NO_SECTION = re.compile(r"label|macro|overview|preview|thumbnail|barcode", re.IGNORECASE)

_NUMPY_KINDS = {1: "uint", 2: "int", 3: "float"}


@dataclass(frozen=True)
class TiffImage:
    """One image of a TIFF.

    Parameters
    ----------
    levels
        Its directories, finest first.
    name
        What the file calls it, or nothing.
    ome_index
        Its place among the images of the OME-XML, or None if that does not declare it.
    planes
        Axis and number of its channels, depths, times or pages; empty for a single picture.
    """

    levels: tuple[Directory, ...]
    name: str = ""
    ome_index: int | None = None
    planes: tuple[tuple[str, int], ...] = ()

    @property
    def finest(self) -> Directory:
        """Directory of level 0."""
        return self.levels[0]

    @property
    def size(self) -> str:
        """Width and height of level 0 in words."""
        return f"{self.finest.width}x{self.finest.height} px"

    @property
    def stack(self) -> str:
        """Describe in words why it is not a single picture; "" if it is."""
        if not self.planes:
            return ""
        kind = f"{_NUMPY_KINDS.get(self.finest.sample_format, 'void')}{self.finest.bits}"
        axes = "".join(axis for axis, _ in reversed(self.planes)) + "YX" + ("S" if self.finest.samples > 1 else "")
        counts = ", ".join(f"{axis}={count}" for axis, count in reversed(self.planes))
        return f"{kind} with axes {axes} ({counts})"


def images_of(directories: Sequence[Directory], declared: Sequence[OmeImage] = ()) -> tuple[TiffImage, ...]:
    """Group a file's directories to images.

    OME-XML and SubIFDs say what belongs together; other directories are levels of the nearest larger image that they
    can be a reduction of. Whether they show the same is for their pixels to tell.

    Parameters
    ----------
    directories
        As ``read_header`` gives them.
    declared
        As ``parse_ome`` gives them.

    Returns
    -------
    tuple of TiffImage
        In the file's order; at least one for a file with a directory.
    """
    mains = [found for found in directories if not found.is_sub]
    pictures = [found for found in mains if not _is_mask(found)] or mains
    subs = {found.number: [sub for sub in directories if sub.is_sub and sub.number == found.number] for found in mains}
    by_first = {image.first: image for image in declared}
    covered = {
        plane for image in declared for plane in range(image.first + 1, image.first + _plane_count(image, mains))
    }
    tops: list[TiffImage] = []
    loose: list[Directory] = []
    for found in pictures:
        if found.number in by_first:
            ome = by_first[found.number]
            tops.append(TiffImage((found,), ome.name, ome.index, _ome_planes(ome, found)))
        elif subs[found.number]:
            tops.append(TiffImage((found,), planes=_described_planes(found)))
        elif found.number not in covered:
            loose.append(found)
    tops = [_with_levels(top, subs[top.finest.number]) for top in tops]
    return tuple(sorted(_group(loose, tops), key=lambda image: image.finest.number))


def choose_image(images: Sequence[TiffImage]) -> TiffImage:
    """Choose the image that is the slide: the largest one in colour, or the largest of all.

    A grey image is chosen before one in colour with less than a quarter of its pixels: that is a preview.
    """
    largest = max(image.finest.area for image in images)
    coloured = [
        image for image in images if _has_colour(image.finest) and image.finest.area * _GREY_OUTRANKS >= largest
    ]
    return max(coloured or images, key=lambda image: image.finest.area)


def other_sections(chosen: TiffImage, images: Sequence[TiffImage]) -> tuple[TiffImage, ...]:
    """Images beside the chosen one that may be sections of their own: no label, macro image or preview."""
    return tuple(
        image
        for image in images
        if image is not chosen
        and image.finest.area >= _SECTION_SHARE * chosen.finest.area
        and _has_colour(image.finest) == _has_colour(chosen.finest)
        and not image.finest.subfile & _REDUCED_BIT
        and not _NO_SECTION.search(image.name or image.finest.description[:80])
    )


def _group(loose: Sequence[Directory], tops: Sequence[TiffImage]) -> list[TiffImage]:
    """Put directories that nothing declares to the nearest image they can be a level of, or make them images."""
    images = list(tops)
    for found in sorted(loose, key=lambda one: (-one.area, one.number)):
        homes = [image for image in images if _belongs(found, image)]
        if not homes:
            images.append(TiffImage((found,), planes=_described_planes(found)))
            continue
        home = min(homes, key=lambda image: (abs(image.finest.number - found.number), image.finest.number))
        images[images.index(home)] = _with_levels(home, [found])
    return [_as_stack(image, images) for image in images]


def _belongs(found: Directory, image: TiffImage) -> bool:
    """Whether a directory can be a level of an image that has none of its size yet."""
    finest = image.finest
    return (
        _kind(found) == _kind(finest)
        and found.tiled == finest.tiled
        and all((level.width, level.height) != (found.width, found.height) for level in image.levels)
        and could_be_level((finest.width, finest.height), (found.width, found.height))
    )


def _with_levels(image: TiffImage, below: Sequence[Directory]) -> TiffImage:
    own = [found for found in below if not _is_mask(found) and _kind(found) == _kind(image.finest)]
    fitting = [
        found for found in own if could_be_level((image.finest.width, image.finest.height), (found.width, found.height))
    ]
    levels = sorted((*image.levels, *fitting), key=lambda found: -found.area)
    return replace(image, levels=tuple(levels))


def _as_stack(image: TiffImage, images: Sequence[TiffImage]) -> TiffImage:
    """Mark pages in grey of one size as channels or depths of one image."""
    if image.planes or image.ome_index is not None or _has_colour(image.finest):
        return image
    alike = [other for other in images if other.ome_index is None and _shape(other.finest) == _shape(image.finest)]
    return replace(image, planes=(("I", len(alike)),)) if len(alike) > 1 else image


def _shape(found: Directory) -> tuple[object, ...]:
    return found.width, found.height, _kind(found)


def _kind(found: Directory) -> tuple[object, ...]:
    """Tell what the levels of one image have in common."""
    return _has_colour(found), found.bits, found.sample_format


def _has_colour(found: Directory) -> bool:
    return found.photometric not in (_MINISWHITE, _MINISBLACK, _MASK) and found.bits > 1


def _is_mask(found: Directory) -> bool:
    return bool(found.subfile & _MASK_BIT) or found.photometric == _MASK


def _plane_count(image: OmeImage, mains: Sequence[Directory]) -> int:
    found = next((one for one in mains if one.number == image.first), None)
    count = 1
    for _, size in _ome_planes(image, found) if found else ():
        count *= size
    return count


def _ome_planes(image: OmeImage, found: Directory) -> tuple[tuple[str, int], ...]:
    """Planes of an image beside the colours that one directory holds."""
    sizes = [
        (axis, size // found.samples if axis == "C" and size >= found.samples else size) for axis, size in image.sizes
    ]
    return tuple((axis, size) for axis, size in sizes if size > 1)


def _described_planes(found: Directory) -> tuple[tuple[str, int], ...]:
    """Planes that follow one another in one directory, as ImageJ and tifffile describe them."""
    text = found.description
    if text.startswith("ImageJ="):
        named = {
            key: int(value)
            for key, value in re.findall(r"^(images|channels|slices|frames)=(\d{1,9})\s*$", text, re.MULTILINE)
        }
        axes = [(axis, named.get(key, 1)) for axis, key in (("C", "channels"), ("Z", "slices"), ("T", "frames"))]
        several = tuple((axis, count) for axis, count in axes if count > 1)
        return several or ((("I", named["images"]),) if named.get("images", 1) > 1 else ())
    if text.startswith('{"shape":'):
        count = _described_pixels(text) // (found.area * found.samples)
        return (("I", count),) if count > 1 else ()
    return ()


def _described_pixels(text: str) -> int:
    """Count the samples of the array that tifffile's description is of."""
    try:
        shape = json.loads(text)["shape"]
        count = 1
        for size in shape:
            count *= int(size)
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
    return count
