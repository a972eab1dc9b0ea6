"""A slide as the pyramid of tiles that a browser asks for: levels that halve, down to one pixel."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import RegionError
from wsi_scale.report.overlay import hatched
from wsi_scale.slides.field import Field, plan_field, read_field
from wsi_scale.slides.slide import Slide

#: Side of a tile, and what it shows of its neighbours on each side, pixels. Tiles without overlap would be stretched by
#: a pixel on the screen, to hide their seams.
TILE_PX, OVERLAP_PX = 512, 1
#: Pixels of a slide's level that one tile may cost. Where the file has no coarse levels a tile of an overview would
#: cost gigabytes; the thumbnail, made once when the slide was tiled, shows the same.
MOST_READ_PX = 24_000_000


@dataclass(frozen=True)
class Pyramid:
    """Where the tiles of a slide lie.

    Attributes
    ----------
    width, height
        Of the slide, level-0 pixels.

    Examples
    --------
    >>> pyramid = Pyramid(1500, 700)
    >>> pyramid.finest, pyramid.tile(11, 2, 1)
    (11, (Field(x=1023, y=511, width=477, height=189), (477, 189)))
    >>> pyramid.tile(10, 0, 0)
    (Field(x=0, y=0, width=1026, height=700), (513, 350))
    >>> pyramid.tile(10, 2, 0) is None
    True
    """

    width: int
    height: int

    @property
    def finest(self) -> int:
        """Number of the level that has level 0's own pixels; level 0 of the browser is one pixel."""
        return math.ceil(math.log2(max(self.width, self.height)))

    def tile(self, level: int, column: int, row: int) -> tuple[Field, tuple[int, int]] | None:
        """Return the part of the slide that a tile shows, and its width and height in pixels; None outside the slide.

        A tile at the right or lower edge ends with the slide, so that its last pixels may stand for a little less.
        """
        if not 0 <= level <= self.finest:
            return None
        downsample = 1 << (self.finest - level)
        side = TILE_PX * downsample
        if not (0 <= column * side < self.width and 0 <= row * side < self.height):
            return None
        more = OVERLAP_PX * downsample
        left, top = max(0, column * side - more), max(0, row * side - more)
        right, bottom = min((column + 1) * side + more, self.width), min((row + 1) * side + more, self.height)
        size = math.ceil((right - left) / downsample), math.ceil((bottom - top) / downsample)
        return Field(left, top, right - left, bottom - top), size


def draw_field(
    slide: Slide, field: Field, size: tuple[int, int], thumbnail: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Read a part of a slide for the screen, at a bounded cost.

    Parameters
    ----------
    slide
        An opened slide.
    field
        What to show; with a thumbnail it lies inside the slide.
    size
        (width, height) of the picture in pixels.
    thumbnail
        (row, col, rgb) the whole slide, shown where reading would cost too much, or fails and it is as sharp; None
        where there is none.

    Returns
    -------
    ndarray
        (height, width, 3) uint8; grey stripes where the slide cannot be decoded.

    Raises
    ------
    ReadError
        The system cannot read the file just now.
    """
    left, top, right, bottom = plan_field(slide, field, size).region
    whole = slide.width, slide.height
    if thumbnail is not None and (right - left) * (bottom - top) > MOST_READ_PX:
        return cut_out(thumbnail, whole, field, size)
    try:
        return read_field(slide, field, size)
    except RegionError:
        if thumbnail is not None and is_as_sharp(thumbnail, whole, field, size):
            return cut_out(thumbnail, whole, field, size)
        return hatched(np.zeros((size[1], size[0], 3), np.uint8), np.ones((size[1], size[0]), np.bool_))


def is_as_sharp(thumbnail: NDArray[np.uint8], slide_size: tuple[int, int], field: Field, size: tuple[int, int]) -> bool:
    """Whether a thumbnail has as many pixels of a part of a slide as a picture of it; parameters as in ``cut_out``."""
    return bool(size[0] * slide_size[0] <= field.width * thumbnail.shape[1])


def cut_out(
    thumbnail: NDArray[np.uint8], slide_size: tuple[int, int], field: Field, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a part of a slide out of its thumbnail.

    Parameters
    ----------
    slide_size
        (width, height) of the slide, level-0 pixels.
    field
        Inside the slide.
    size
        (width, height) of the result, (height, width, 3) uint8.
    """
    scale_x, scale_y = thumbnail.shape[1] / slide_size[0], thumbnail.shape[0] / slide_size[1]
    right, bottom = (field.x + field.width) * scale_x, (field.y + field.height) * scale_y
    box = field.x * scale_x, field.y * scale_y, min(right, thumbnail.shape[1]), min(bottom, thumbnail.shape[0])
    return np.asarray(Image.fromarray(thumbnail).resize(size, Image.Resampling.BILINEAR, box=box))
