"""Slides read by OpenSlide."""

from pathlib import Path

import numpy as np
import openslide
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides.slide import Level, Slide

#: Where a level's downsample is no whole number, OpenSlide shifts what it reads by a fraction of a pixel
#: that depends on the corner asked for. Cells of this side (level pixels) make it depend on the place only.
CELL_PX = 256


def vendor_of(path: Path) -> str | None:
    """Tell what OpenSlide takes a file for (None: nothing it knows)."""
    try:
        return openslide.OpenSlide.detect_format(str(path))
    except (OSError, openslide.OpenSlideError):
        return None


class OpenSlideSlide(Slide):
    """A slide read by OpenSlide.

    Parameters
    ----------
    path
        What the user gave.
    file
        The file for OpenSlide, where ``path`` is a folder of DICOM files.
    warnings
        One line each, for the user.

    Raises
    ------
    SlideError
        If OpenSlide cannot open the file.
    """

    def __init__(self, path: Path, file: Path | None = None, warnings: tuple[str, ...] = ()) -> None:
        self._file = str(file or path)
        try:
            self._slide = openslide.OpenSlide(self._file)
            properties = dict(self._slide.properties)
            sizes = self._slide.level_dimensions
            downsamples = self._slide.level_downsamples
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(f"{path}: OpenSlide cannot open it ({_one_line(error)})") from error
        levels = tuple(
            Level(width, height, float(downsample))
            for (width, height), downsample in zip(sizes, downsamples, strict=True)
        )
        super().__init__(path, properties.get("openslide.vendor", "unknown"), levels, properties, warnings)

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        if self.levels[level].downsample.is_integer():
            return self._read_from(level, x, y, width, height)
        pixels = np.empty((height, width, 4), np.uint8)
        for cell_y in range(y // CELL_PX * CELL_PX, y + height, CELL_PX):
            for cell_x in range(x // CELL_PX * CELL_PX, x + width, CELL_PX):
                right, bottom = min(cell_x + CELL_PX, x + width), min(cell_y + CELL_PX, y + height)
                cell = self._read_from(level, cell_x, cell_y, right - cell_x, bottom - cell_y)
                left, top = max(cell_x, x), max(cell_y, y)
                pixels[top - y : bottom - y, left - x : right - x] = cell[top - cell_y :, left - cell_x :]
        return pixels

    def _read_from(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        downsample = self.levels[level].downsample
        box = (round(x * downsample), round(y * downsample)), level, (width, height)
        try:
            return np.asarray(self._slide.read_region(*box))
        except openslide.OpenSlideError:
            # After one place that it cannot decode a handle refuses every other, and other threads share it: the
            # place is asked for again on a new one. The old one closes itself when the last thread lets go of it.
            opened = openslide.OpenSlide(self._file)
            pixels = np.asarray(opened.read_region(*box))
            self._slide = opened
            return pixels

    def close(self) -> None:
        """Release the file."""
        self._slide.close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
