"""A level with parts that cannot be decoded: the rest is read, and gaps are filled from finer levels.

A box that cannot be decoded is halved until the failing part is small. That part is read from the next finer level
that can be decoded there; if there is none, it is marked as unreadable.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import RegionError
from wsi_scale.slides.slide import Slide, level_scale

#: A box that cannot be decoded is halved down to this side, pixels of its level; twice, four times … that on a level
#: so large that more than twice as many would lie side by side.
SMALLEST_PX = 64
_MOST_ACROSS = 256

#: A finer level is not read for a gap where it would take more pixels than this.
_MOST_FINER_PX = 16 << 20


@dataclass(frozen=True)
class Box:
    """A box of a level, in that level's pixels."""

    x: int
    y: int
    width: int
    height: int

    def halves(self, smallest_px: int) -> "tuple[Box, Box] | None":
        """Cut across the longer side at a multiple of ``smallest_px``; None for a box that is no larger."""
        if max(self.width, self.height) <= smallest_px:
            return None
        if self.width >= self.height:
            first = _cut(self.x, self.width, smallest_px)
            return Box(self.x, self.y, first, self.height), Box(self.x + first, self.y, self.width - first, self.height)
        first = _cut(self.y, self.height, smallest_px)
        return Box(self.x, self.y, self.width, first), Box(self.x, self.y + first, self.width, self.height - first)


class GapReader:
    """Reads boxes of one level, with gaps where no level can be decoded.

    Parameters
    ----------
    slide, level
        What is read.
    most_unreadable
        Share of the level's area, 0–1; when more than this turns out unreadable, ``read`` raises.
    """

    def __init__(self, slide: Slide, level: int, most_unreadable: float) -> None:
        self._slide = slide
        self._level = level
        self._share = most_unreadable
        own = slide.levels[level]
        area_px = own.width * own.height
        self._left_px = min(most_unreadable * area_px, area_px - 1)  # of what is wholly lost nothing can be said
        self._smallest_px = max(SMALLEST_PX, 1 << max(1, max(own.width, own.height) // _MOST_ACROSS).bit_length() - 1)
        self._first: RegionError | None = None

    def read(self, box: Box) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Read a box.

        Returns
        -------
        pixels, gaps
            (height, width, 3) uint8 RGB, and (height, width) True where no level can be decoded (its pixels say
            nothing), or None where there is no such place.

        Raises
        ------
        RegionError
            More of the level than allowed cannot be decoded; the message names the first place.
        """
        try:
            return self._slide.read(self._level, box.x, box.y, box.width, box.height), None
        except RegionError as error:
            halves = box.halves(self._smallest_px)
            if halves is None:
                return self._close(box, error)
        axis = 0 if halves[0].width == box.width else 1
        parts = [self.read(half) for half in halves]
        pixels = np.concatenate([pixels for pixels, _ in parts], axis=axis)
        if all(gaps is None for _, gaps in parts):
            return pixels, None
        marked = [np.zeros(pixels.shape[:2], np.bool_) if gaps is None else gaps for pixels, gaps in parts]
        return pixels, np.concatenate(marked, axis=axis)

    def _close(self, box: Box, error: RegionError) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        for finer in range(self._level - 1, -1, -1):
            pixels = self._from_finer(finer, box)
            if pixels is not None:
                return pixels, None
        self._first = self._first or error
        self._left_px -= box.width * box.height
        if self._left_px < 0:
            first = str(self._first).removeprefix(f"{self._slide.path}: ")
            raise RegionError(
                f"{self._slide.path}: more of the slide cannot be read than slides.unreadable_share={self._share:g} "
                f"allows; the first place: {first}"
            ) from self._first
        return np.zeros((box.height, box.width, 3), np.uint8), np.ones((box.height, box.width), np.bool_)

    def _from_finer(self, finer: int, box: Box) -> NDArray[np.uint8] | None:
        """Shrink what a finer level shows in a box of this level; None where that cannot be decoded either."""
        own, other = level_scale(self._slide, self._level), level_scale(self._slide, finer)
        factor_x, factor_y = own[0] / other[0], own[1] / other[1]
        size = self._slide.levels[finer]
        left, top = math.floor(box.x * factor_x), math.floor(box.y * factor_y)
        right = min(math.ceil((box.x + box.width) * factor_x), size.width)
        bottom = min(math.ceil((box.y + box.height) * factor_y), size.height)
        if left >= right or top >= bottom or (right - left) * (bottom - top) > _MOST_FINER_PX:
            return None
        try:
            pixels = self._slide.read(finer, left, top, right - left, bottom - top)
        except RegionError:
            return None
        return np.asarray(Image.fromarray(pixels).resize((box.width, box.height), Image.Resampling.BOX))


def closed(image: NDArray[np.uint8], gaps: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Give gaps the colour of the nearest pixel outside them.

    Parameters
    ----------
    image
        (row, col, rgb).
    gaps
        (row, col); at least one pixel must be False.
    """
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    filled: NDArray[np.uint8] = image[tuple(nearest)]
    return filled


def _cut(start: int, length: int, multiple: int) -> int:
    """Length of the first half of one axis; it ends at a multiple."""
    middle = (start + length // 2 + multiple // 2) // multiple * multiple
    if not start < middle < start + length:
        middle = (start // multiple + 1) * multiple
    return middle - start
