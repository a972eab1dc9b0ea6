"""Which parts of a slide hold an image: transparent parts were not scanned and show a background colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import RegionError
from wsi_scale.slides.slide import Slide

#: The coarsest level that is at least this long tells what is transparent, pixels.
_LEAST_PX = 512

#: Transparency is not looked for on levels of more pixels than this.
_MOST_PX = 1 << 28

#: Rows of a level that are read at once, about.
_ROWS = 512


def transparent_places(slide: Slide, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Mask of the parts that are more transparent than opaque, at the size of a thumbnail.

    Parameters
    ----------
    slide
        An opened slide.
    size
        (width, height) of the result, pixels.

    Returns
    -------
    ndarray or None
        (height, width) bool; None where nothing is transparent, or where every level is too large to check.
        What cannot be decoded is not transparent.
    """
    long = [n for n, level in enumerate(slide.levels) if max(level.width, level.height) >= _LEAST_PX]
    index = max(long, default=0)
    level = slide.levels[index]
    if level.width * level.height > _MOST_PX:
        return None
    factor = max(1, min(level.width // size[0], level.height // size[1]))
    opacity = Image.new("L", (-(-level.width // factor), -(-level.height // factor)), 255)
    rows = factor * max(1, _ROWS // factor)
    for top in range(0, level.height, rows):
        try:
            alpha = slide.read_alpha(index, 0, top, level.width, min(rows, level.height - top))
        except RegionError:
            continue
        if alpha is None:
            return None
        opacity.paste(Image.fromarray(alpha).reduce(factor), (0, top // factor))
    box = (0, 0, min(level.width / factor, opacity.width), min(level.height / factor, opacity.height))
    transparent = np.asarray(opacity.resize(size, Image.Resampling.BILINEAR, box=box)) < 128
    return transparent if transparent.any() else None
