"""Choose the library that reads a TIFF by what its directories hold."""

from pathlib import Path

from wsi_scale.errors import ReadError, SlideError
from wsi_scale.slides.border import opening
from wsi_scale.slides.levels import could_be_level, likely_scales
from wsi_scale.slides.ome import parse_ome
from wsi_scale.slides.openslide_backend import PLAIN_VENDORS, OpenSlideSlide, vendor_of
from wsi_scale.slides.slide import Reader, Slide
from wsi_scale.slides.tiff_backend import TiffSlide
from wsi_scale.slides.tiff_header import TiffHeader, read_header
from wsi_scale.slides.tiff_images import TiffImage, choose_image, images_of, other_sections

#: What OpenSlide decodes: no compression, LZW, JPEG, Deflate (two numbers), PackBits, Aperio's two kinds of JPEG 2000.
_OPENSLIDE_COMPRESSIONS = frozenset((1, 5, 7, 8, 32946, 32773, 33003, 33005))

#: Vendors whose level 0 OpenSlide puts together from parts or overlapping tiles: its size stands in no directory.
_COMPOSING_VENDORS = ("leica", "trestle", "ventana")
#: By how much a directory may be larger (in pixels) than what was put together from its tiles.
_OVERLAP = 1.5

#: What OpenSlide says of its level 0, and what holds for no other image.
_OF_LEVEL_0 = ("openslide.level", "openslide.mpp-", "tiff.")


def open_tiff(path: Path, reader: Reader = "openslide") -> Slide:
    """Open a TIFF.

    OpenSlide reads it if it decodes the file and its level 0 is the largest image in colour, with no level missing;
    else tifffile does.

    Parameters
    ----------
    reader
        ``tifffile``: it decodes the pixels also of what OpenSlide reads, where both show the same.

    Raises
    ------
    SlideError
        If it is not a single grey or RGB image, or neither can read it.
    """
    header = read_header(path)
    images = images_of(header.directories, parse_ome(header.directories[0].description, path.name))
    image = choose_image(images)
    warnings = _about_others(image, images)
    vendor = vendor_of(path)
    if vendor is None or image.stack or not _decodable(image, header):
        return TiffSlide(path, header, image, warnings=warnings)
    try:
        said = warnings if vendor == "generic-tiff" else ()
        slide = OpenSlideSlide(path, warnings=said, directories=header.directories)
    except ReadError:  # which library reads a slide must not hang on a share that hiccups
        raise
    except SlideError as error:
        return _instead_of(error, path, header, image, vendor, warnings)
    if _shows(slide, image, vendor):
        if reader == "tifffile" and vendor in PLAIN_VENDORS:
            _decode_by_tifffile(slide, TiffSlide(path, header, image, warnings=said))
        return slide
    with slide:
        properties = _of_this_image(slide, image)
    return TiffSlide(path, header, image, properties, warnings)


def _decode_by_tifffile(slide: OpenSlideSlide, decoder: TiffSlide) -> None:
    """Leave the decoding to tifffile, if both have the same levels."""
    if slide.sizes == decoder.sizes:
        slide.decode_by(decoder)
    else:
        decoder.close()


def _instead_of(
    error: SlideError, path: Path, header: TiffHeader, image: TiffImage, vendor: str, warnings: tuple[str, ...]
) -> Slide:
    """Read by tifffile what OpenSlide knows and cannot open; where neither can, OpenSlide's reason counts."""
    if vendor in _COMPOSING_VENDORS:
        raise error
    try:
        with opening(path):
            return TiffSlide(path, header, image, warnings=warnings)
    except SlideError:
        raise error from None


def _decodable(image: TiffImage, header: TiffHeader) -> bool:
    """Whether OpenSlide can decode an image and its other levels, all in 8 bits."""
    known = all(found.compression in _OPENSLIDE_COMPRESSIONS for found in image.levels)
    return known and image.finest.bits == 8 and header.directories[0].bits == 8


def _shows(slide: Slide, image: TiffImage, vendor: str) -> bool:
    """Whether OpenSlide shows the whole image."""
    area = slide.width * slide.height
    if vendor in _COMPOSING_VENDORS:
        return image.finest.area <= _OVERLAP * area
    if image.finest.area > area:
        return False
    if vendor not in PLAIN_VENDORS:
        return True
    sizes = [(level.width, level.height) for level in image.levels]
    sound = all(likely_scales(sizes[0], size) or not could_be_level(sizes[0], size) for size in sizes[1:])
    return sound and len(slide.levels) >= len(sizes)


def _of_this_image(slide: Slide, image: TiffImage) -> dict[str, str]:
    """Properties that OpenSlide reports, without those of its own level 0 if that is another image."""
    same = (slide.width, slide.height) == (image.finest.width, image.finest.height)
    left = () if same else _OF_LEVEL_0
    return {name: value for name, value in slide.properties.items() if not name.startswith(left)}


def _about_others(image: TiffImage, images: tuple[TiffImage, ...]) -> tuple[str, ...]:
    others = other_sections(image, images)
    if not others:
        return ()
    named = ", ".join(f"{other.name!r} ({other.size})" if other.name else other.size for other in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    own = f"{image.name!r} ({image.size})" if image.name else image.size
    return (f"the file holds {len(others) + 1} images; the largest is read, {own}; not read: {named}{more}",)
