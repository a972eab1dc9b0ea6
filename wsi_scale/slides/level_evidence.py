"""Downsample of a level from its pixels: parts of it are compared with the next finer level."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsi_scale.errors import RegionError

Size = tuple[int, int]
Scale = tuple[float, float]
#: Reads (level, x, y, width, height) in the level's own pixels: (height, width, 3 or 4) uint8.
Read = Callable[[int, int, int, int, int], NDArray[np.uint8]]

#: Side of the places compared, in the level's pixels, and the longest side read of the finer level for it.
_PLACE_PX, _LONGEST_PX = 96, 1536
#: Places compared for each level, and tried at most until as many with texture are found.
_COMPARED, _TRIED = 3, 24
#: Cells along each side of the grid of places.
_GRID = 6
#: A level with at most this many pixels is read whole to find the tissue.
_SMALL_PX = 1 << 20
#: Standard deviation (grey levels) from which a place has enough texture to be compared.
_TEXTURE = 4.0

#: A level that shows level 0 differs from the finer one by at most this (mean over pixels and colours, grey levels),
#: and is at least this alike (correlation).
_MOST_DIFFERENCE, _LEAST_LIKENESS = 12.0, 0.7
#: It lies off by at most this (its own pixels; half of what leaving out every other pixel does), and this (level-0
#: pixels), as far as so little can be told (its own pixels).
_MOST_SHIFT_PX, _MOST_SHIFT_0_PX, _TOLD_SHIFT_PX = 0.15, 0.5, 0.08
#: A place smaller than this tells nothing (the level's pixels).
_LEAST_PLACE_PX = 12


@dataclass(frozen=True)
class Evidence:
    """How well a level agrees with a finer one at a factor.

    Parameters
    ----------
    difference
        Mean over pixels and colours, grey levels.
    likeness
        Correlation, -1–1.
    shift_px
        How far the level lies off along either axis, its own pixels.
    """

    difference: float
    likeness: float
    shift_px: float

    def agrees(self, factor: float) -> bool:
        """Whether a level of this factor shows what the finer one shows."""
        most_shift_px = min(_MOST_SHIFT_PX, max(_MOST_SHIFT_0_PX / factor, _TOLD_SHIFT_PX))
        alike = self.difference <= _MOST_DIFFERENCE and self.likeness >= _LEAST_LIKENESS
        return alike and self.shift_px <= most_shift_px


class Comparison:
    """Compares a level with a finer one whose factor is known, at textured places, at one factor after the other.

    Parameters
    ----------
    read
        Reads a box of a level; what it cannot decode does not count.
    numbers
        The finer level's number and the level's own.
    finer_size, size
        (width, height) of the finer level and of the level.
    finer_scale
        Level-0 pixels per pixel of the finer level.
    places
        As ``textured_places`` gives them.
    """

    def __init__(
        self,
        read: Read,
        numbers: tuple[int, int],
        finer_size: Size,
        size: Size,
        finer_scale: Scale,
        places: Sequence[tuple[float, float]],
    ) -> None:
        self._read, self._numbers, self._places = read, numbers, places
        self._finer_size, self._size, self._finer_scale = finer_size, size, finer_scale

    def __call__(self, scale: Scale) -> Evidence | None:
        """Tell how well the level agrees at this factor; None where there is nothing to see."""
        pairs = []
        for place in self._places[:_TRIED]:
            pair = self._pair(place, scale)
            if pair is not None and max(float(image.mean(axis=2).std()) for image in pair) >= _TEXTURE:
                pairs.append(pair)
            if len(pairs) == _COMPARED:
                break
        return _evidence(pairs) if pairs else None

    def _pair(self, place: tuple[float, float], scale: Scale) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Read the level at a place (share of its width and height), and the finer level shrunk to its pixels."""
        step = scale[0] / self._finer_scale[0], scale[1] / self._finer_scale[1]
        held = [math.floor(min(self._size[axis], self._finer_size[axis] / step[axis])) for axis in (0, 1)]
        sides = [max(1, min(room, _PLACE_PX, int(_LONGEST_PX / by))) for room, by in zip(held, step, strict=True)]
        if min(sides) < _LEAST_PLACE_PX:
            return None
        x, y = (int(share * (room - side)) for share, room, side in zip(place, held, sides, strict=True))
        box = (x * step[0], y * step[1], (x + sides[0]) * step[0], (y + sides[1]) * step[1])
        left, top = math.floor(box[0]), math.floor(box[1])
        right, bottom = min(math.ceil(box[2]), self._finer_size[0]), min(math.ceil(box[3]), self._finer_size[1])
        try:
            own = _on_white(self._read(self._numbers[1], x, y, sides[0], sides[1]))
            finer = _on_white(self._read(self._numbers[0], left, top, right - left, bottom - top))
        except RegionError:  # a damaged place tells nothing of the level
            return None
        inside = (box[0] - left, box[1] - top, min(box[2] - left, right - left), min(box[3] - top, bottom - top))
        shrunk = Image.fromarray(finer).resize((sides[0], sides[1]), Image.Resampling.HAMMING, box=inside)
        return own.astype(np.float64), np.asarray(shrunk, np.float64)


def _evidence(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Evidence:
    difference = float(np.mean([np.abs(own - expected).mean() for own, expected in pairs]))
    own = np.concatenate([(pair[0].mean(axis=2) - pair[0].mean()).ravel() for pair in pairs])
    expected = np.concatenate([(pair[1].mean(axis=2) - pair[1].mean()).ravel() for pair in pairs])
    norm = math.sqrt(float(own @ own) * float(expected @ expected))
    return Evidence(difference, float(own @ expected) / norm if norm else 0.0, _shift(pairs))


def _shift(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    """How far the level lies off along either axis (its own pixels): least squares on the gradients."""
    normal, right = np.zeros((2, 2)), np.zeros(2)
    for own, expected in pairs:
        if min(own.shape[:2]) < 3:
            continue
        grey, other = expected.mean(axis=2), own.mean(axis=2)
        rows, columns = np.gradient(grey)
        slopes = np.stack([columns.ravel(), rows.ravel()])
        normal += slopes @ slopes.T
        right += slopes @ (grey - other).ravel()
    if abs(np.linalg.det(normal)) < 1e-6:
        return 0.0
    return float(np.abs(np.linalg.solve(normal, right)).max())


def textured_places(sizes: Sequence[Size], read: Read) -> tuple[tuple[float, float], ...]:
    """Choose places to compare, as shares of width and height: where a small level has texture first, far ones first.

    Parameters
    ----------
    sizes
        (width, height) of each level, finest first.
    read
        Reads a box of a level.
    """
    grid = [(column / (_GRID - 1), row / (_GRID - 1)) for row in range(_GRID) for column in range(_GRID)]
    far_first = sorted(grid, key=lambda place: -(place[0] + place[1]))
    image = _small_level(sizes, read)
    if image is None:
        return tuple(far_first)
    cell = [max(2, length // (2 * _GRID)) for length in image.shape]

    def is_blank(place: tuple[float, float]) -> bool:
        row, column = (int(place[1 - axis] * (image.shape[axis] - cell[axis])) for axis in (0, 1))
        return float(image[row : row + cell[0], column : column + cell[1]].std()) < _TEXTURE

    return tuple(sorted(far_first, key=is_blank))


def _small_level(sizes: Sequence[Size], read: Read) -> NDArray[np.float64] | None:
    """Grey of the finest level small enough to be read whole; None where there is none."""
    for number, (width, height) in enumerate(sizes):
        if number and width * height <= _SMALL_PX and min(width, height) >= 4 * _GRID:
            try:
                whole = _on_white(read(number, 0, 0, width, height))
            except RegionError:  # the next one tells as well where the tissue is
                continue
            return np.asarray(whole.mean(axis=2), np.float64)
    return None


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay (h, w, 4) pixels on white; (h, w, 3) ones stay."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
