"""Where the tissue is: a thumbnail of fixed size and a mask of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import SlideError, UserError
from wsi_scale.slides.coverage import transparent_places
from wsi_scale.slides.damage import Box, GapReader, closed
from wsi_scale.slides.field import choose_level
from wsi_scale.slides.slide import Slide

#: Pixels of a level held at once while a thumbnail is made.
_BLOCK_PX = 8 << 20

#: A level with more pixels than this is not read through for a thumbnail.
MAX_THUMBNAIL_PX = 4e11

#: How far a user's mask may differ from the slide in aspect ratio.
_ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True)
class Thumbnail:
    """A small image of a slide.

    Parameters
    ----------
    image
        (h, w, 3) uint8 RGB.
    downsample_x, downsample_y
        Level-0 pixels per pixel of the thumbnail.
    transparent
        (h, w) True where the slide holds nothing and the image shows a background; None if nowhere.
    unreadable
        (h, w) True where no level of the slide can be decoded: there the image has the colour of the nearest
        place that can. None where all of it can be decoded.
    """

    image: NDArray[np.uint8]
    downsample_x: float
    downsample_y: float
    transparent: NDArray[np.bool_] | None = None
    unreadable: NDArray[np.bool_] | None = None


def read_thumbnail(slide: Slide, longer_side_px: int = 2048, most_unreadable: float = 0.01) -> Thumbnail:
    """Shrink a slide to a fixed size by averaging.

    The coarsest level that is at least that large is read block by block, so that memory stays bounded also
    where a large slide has but one level. A smaller slide keeps its size.

    Parameters
    ----------
    slide
        An opened slide.
    longer_side_px
        Longer side of the thumbnail in pixels.
    most_unreadable
        Share of the slide that may be impossible to decode at any level, 0–1.

    Raises
    ------
    RegionError
        If more of the slide cannot be decoded; the message names the first place.
    SlideError
        If the slide is too large to be read through.
    """
    longest = max(slide.width, slide.height)
    scale = max(1.0, longest / longer_side_px)
    width, height = max(1, round(slide.width / scale)), max(1, round(slide.height / scale))
    index = choose_level(slide, min(slide.width / width, slide.height / height))
    level = slide.levels[index]
    if level.width * level.height > MAX_THUMBNAIL_PX:
        raise SlideError(
            f"{slide.path}: {level.width}x{level.height} px without a coarser level are too large for a "
            "thumbnail; convert it to a pyramidal TIFF"
        )
    factor = max(1, min(level.width // width, level.height // height))
    reduced, gaps = _block_means(slide, index, factor, most_unreadable)
    box = (0, 0, min(level.width / factor, reduced.width), min(level.height / factor, reduced.height))
    unreadable = None
    if gaps is not None:
        reduced = Image.fromarray(closed(np.asarray(reduced), gaps))
        unreadable = np.asarray(Image.fromarray(gaps).resize((width, height), Image.Resampling.NEAREST, box=box))
    image = np.asarray(reduced.resize((width, height), Image.Resampling.BILINEAR, box=box))
    transparent = transparent_places(slide, (width, height))
    return Thumbnail(image, slide.width / width, slide.height / height, transparent, unreadable)


def _block_means(
    slide: Slide, index: int, factor: int, most_unreadable: float
) -> tuple[Image.Image, NDArray[np.bool_] | None]:
    """Shrink a level by a whole factor, read in blocks of at most ``_BLOCK_PX`` pixels; with its gaps, if any."""
    level = slide.levels[index]
    rows = factor * max(1, 512 // factor)
    columns = factor * max(1, _BLOCK_PX // rows // factor)
    reader = GapReader(slide, index, most_unreadable)
    reduced = Image.new("RGB", (-(-level.width // factor), -(-level.height // factor)))
    gaps: NDArray[np.bool_] | None = None
    for top in range(0, level.height, rows):
        for left in range(0, level.width, columns):
            width, height = min(columns, level.width - left), min(rows, level.height - top)
            pixels, unreadable = reader.read(Box(left, top, width, height))
            reduced.paste(Image.fromarray(pixels).reduce(factor), (left // factor, top // factor))
            if unreadable is not None:
                gaps = np.zeros((reduced.height, reduced.width), np.bool_) if gaps is None else gaps
                share = np.asarray(Image.fromarray(unreadable.astype(np.float32)).reduce(factor))
                row, column = top // factor, left // factor
                gaps[row : row + share.shape[0], column : column + share.shape[1]] = share > 0
    return reduced, gaps


def tissue_mask(thumbnail: Thumbnail, method: Literal["auto", "none"]) -> NDArray[np.bool_]:
    """Separate tissue from background.

    Parameters
    ----------
    thumbnail
        As ``read_thumbnail`` gives it.
    method
        ``auto``: brightfield of any stain, or fluorescence on dark; ``none``: all that
        the slide holds counts as tissue.

    Returns
    -------
    ndarray
        (h, w) bool; all False on a slide without tissue.
    """
    held = _held(thumbnail)
    if method == "none":
        return held
    from wsi_scale.slides.segmentation import segment_tissue

    return segment_tissue(thumbnail.image, held)


def shows_brightfield(thumbnail: Thumbnail) -> bool:
    """Whether a thumbnail shows a brightfield specimen, however small; else fluorescence or dark field."""
    from wsi_scale.slides.segmentation import shows_brightfield as told

    return told(thumbnail.image, _held(thumbnail))


def _held(thumbnail: Thumbnail) -> NDArray[np.bool_]:
    """(h, w): where the slide holds an image."""
    if thumbnail.transparent is None:
        return np.ones(thumbnail.image.shape[:2], np.bool_)
    return ~thumbnail.transparent


def read_mask_image(path: Path, thumbnail: Thumbnail) -> NDArray[np.bool_]:
    """Read a user's own mask.

    Parameters
    ----------
    path
        An image of the whole slide at any size; pixels that are not 0 are tissue, unless they are transparent.
        Where all that is not transparent is 0, the mask is drawn by its opacity alone, and that is tissue.
    thumbnail
        The slide's thumbnail, whose size the mask gets.

    Returns
    -------
    ndarray
        (h, w) bool.

    Raises
    ------
    UserError
        If the image cannot be read, or its aspect ratio differs from the slide's by more than 2 %.
    """
    height, width = thumbnail.image.shape[:2]
    try:
        with Image.open(path) as image:
            own_width, own_height = image.size
            drawn = _drawn(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: the mask cannot be read ({reason}); give a PNG of the whole slide") from error
    slide_aspect = (width * thumbnail.downsample_x) / (height * thumbnail.downsample_y)
    if abs(own_width / own_height / slide_aspect - 1) > _ASPECT_TOLERANCE:
        raise UserError(
            f"{path}: the mask is {own_width}x{own_height} px, which is not the slide's shape "
            f"(width / height = {slide_aspect:.3f}); it must show the whole slide"
        )
    scaled = Image.fromarray(drawn).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(scaled, np.bool_)


def _drawn(mask: Image.Image) -> NDArray[np.bool_]:
    """(h, w): what a user has drawn on a mask."""
    if mask.mode.startswith(("I", "F")):  # 16 bits and more; as RGB they would be cut to 8
        return np.asarray(mask).astype(np.bool_)
    if not mask.has_transparency_data:
        return np.asarray(np.asarray(mask.convert("RGB")).any(axis=2), np.bool_)
    pixels = np.asarray(mask.convert("RGBA"))
    opaque = pixels[..., 3] > 0
    coloured = np.asarray(opaque & pixels[..., :3].any(axis=2), np.bool_)
    return coloured if coloured.any() or opaque.all() else opaque
