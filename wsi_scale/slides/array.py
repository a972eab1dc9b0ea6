"""An image in memory as a slide."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.levels import Level
from wsi_scale.slides.slide import Slide

#: Stands for a path in messages.
NAME = Path("<array>")

#: Of a larger image evenly spaced rows tell which one it is, bytes.
_WHOLE_BYTES = 64 << 20


class ArraySlide(Slide):
    """An RGB image in memory, read as every slide is; it has one level.

    Parameters
    ----------
    pixels
        (row, col, rgb) uint8; kept, not copied.

    Raises
    ------
    SlideError
        The array is no such image.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise SlideError(
                f"an image must be an (H, W, 3) array of uint8, not {pixels.shape} of {pixels.dtype}; convert it to RGB"
            )
        self._pixels = pixels
        height, width = pixels.shape[:2]
        super().__init__(NAME, "array", (Level(width, height, 1.0),), {})

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        return self._pixels[y : y + height, x : x + width].copy()

    def identity(self) -> str:
        """Digest of size and pixels; of an image above 64 MB evenly spaced rows count."""
        rows = self._pixels[:: -(-self._pixels.nbytes // _WHOLE_BYTES)]
        return hashlib.sha256(str(self._pixels.shape).encode() + rows.tobytes()).hexdigest()[:32]

    def close(self) -> None:
        """Nothing to release."""
