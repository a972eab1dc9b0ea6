"""Slides read by OpenSlide."""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openslide
from numpy.typing import NDArray
from openslide import lowlevel

from wsi_scale.errors import SlideError
from wsi_scale.slides.border import reason_of
from wsi_scale.slides.levels import Level
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tiff_header import Directory
from wsi_scale.slides.tile_ends import TileEnds

#: Where a level's downsample is not a whole number, OpenSlide shifts what it reads by a fraction of a pixel
#: that depends on the corner asked for. Cells of this side (level pixels) make it depend on the place only.
CELL_PX = 256

#: Vendors whose files are plain pyramids: OpenSlide adds no rule of theirs to the sizes that stand in the file.
PLAIN_VENDORS = ("generic-tiff", "aperio")


def vendor_of(path: Path) -> str | None:
    """Return the vendor that OpenSlide detects (None: unknown format)."""
    try:
        return openslide.OpenSlide.detect_format(str(path))
    except (OSError, openslide.OpenSlideError):
        return None


class Decoder(Protocol):
    """Decodes the pixels of a slide's levels."""

    def decoded(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Decode a box of a level: (height, width, 3) RGB or (height, width, 4) RGBA, uint8."""

    def close(self) -> None:
        """Release the file."""


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
    directories
        Of a TIFF, as ``read_header`` gives them: tiles are checked for their end before OpenSlide reads them.

    Raises
    ------
    SlideError
        If OpenSlide cannot open the file.
    """

    def __init__(
        self,
        path: Path,
        file: Path | None = None,
        warnings: tuple[str, ...] = (),
        directories: Sequence[Directory] = (),
    ) -> None:
        self._file = str(file or path)
        self._decoder: Decoder | None = None
        try:
            self._slide = openslide.OpenSlide(self._file)
            properties = _properties(self._slide)
            sizes = self._slide.level_dimensions
            downsamples = self._slide.level_downsamples
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(f"{path}: OpenSlide cannot open it ({reason_of(error)})") from error
        levels = tuple(
            Level(width, height, float(downsample))
            for (width, height), downsample in zip(sizes, downsamples, strict=True)
        )
        super().__init__(path, properties.get("openslide.vendor", "unknown"), levels, properties, warnings)
        self._ends = TileEnds(path, directories) if directories else None
        if self.vendor not in PLAIN_VENDORS:
            return
        try:
            self._settle_by_pixels()
        except BaseException:
            self.close()
            raise

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(width, height) of each level that OpenSlide reports."""
        return [(level.width, level.height) for level in self._reported]

    def decode_by(self, decoder: "Decoder") -> None:
        """Leave the decoding of pixels to a reader of the same levels, which is closed with the slide.

        Levels whose downsample is not a whole number stay with OpenSlide, which shifts them by fractions of a pixel.
        """
        self._decoder = decoder

    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        own = self._reported[level]
        if self._decoder is not None and own.downsample.is_integer():
            return self._decoder.decoded(level, x, y, width, height)
        shift = 0.0 if own.downsample.is_integer() else 0.5 / own.downsample
        if self._ends is not None:
            touched = x - shift, y - shift, width + 2 * shift, height + 2 * shift
            self._ends.check((own.width, own.height), *touched)
        if not shift:
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
        downsample = self._reported[level].downsample
        box = round(x * downsample), round(y * downsample), level, width, height
        try:
            return _read_region(self._slide, *box)
        except openslide.OpenSlideError:
            # After one place that it cannot decode a handle refuses every other, and other threads share it: the
            # place is asked for again on a new one. The old one closes itself when the last thread lets go of it.
            opened = openslide.OpenSlide(self._file)
            pixels = _read_region(opened, *box)
            self._slide = opened
            return pixels

    def close(self) -> None:
        """Release the file."""
        self._slide.close()
        if self._decoder is not None:
            self._decoder.close()
        if self._ends is not None:
            self._ends.close()


def _read_region(slide: openslide.OpenSlide, x: int, y: int, level: int, width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 4) RGBA of a box; the binding's own way copies it three times more, through Pillow.

    Parameters
    ----------
    x, y
        Top-left corner in level-0 pixels.
    width, height
        Size in pixels of the level.
    """
    words = np.empty((height, width), np.uint32)
    # The binding's own check: a handle that is closed is an error, not a crash.
    handle = lowlevel._OpenSlide.from_param(slide._osr)
    _function("openslide_read_region", None)(
        handle,
        ctypes.c_void_p(words.ctypes.data),
        *(ctypes.c_int64(x), ctypes.c_int64(y), ctypes.c_int32(level), ctypes.c_int64(width), ctypes.c_int64(height)),
    )
    failure = _function("openslide_get_error", ctypes.c_char_p)(handle)
    if failure is not None:
        raise openslide.OpenSlideError(_text(failure))
    return _straight_rgba(words)


def _straight_rgba(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(row, col, rgba) of (row, col) words: from the highest byte, alpha, then red, green and blue multiplied by it.

    Colours are rounded down as the binding does, so that pixels equal its own.
    """
    parts = words.astype("<u4", copy=False).view(np.uint8).reshape(*words.shape, 4)
    rgba = np.empty_like(parts)
    for channel, place in enumerate((2, 1, 0, 3)):  # one by one four times as fast as all at once
        rgba[..., channel] = parts[..., place]
    alpha = rgba[..., 3:]
    if alpha.min() == 255:
        return rgba
    colour = rgba[..., :3].astype(np.uint16) * np.uint16(255) // np.maximum(alpha, 1)
    return np.concatenate([np.where(alpha > 0, colour, 0).astype(np.uint8), alpha], axis=2)


def _properties(slide: openslide.OpenSlide) -> dict[str, str]:
    """All properties, whatever their bytes: the binding's own mapping loses names that are no UTF-8."""
    names_of = _function("openslide_get_property_names", ctypes.POINTER(ctypes.c_char_p))
    value_of = _function("openslide_get_property_value", ctypes.c_char_p)
    properties = {}
    for name in names_of(slide._osr):
        if name is None:  # the end of the list
            break
        value = value_of(slide._osr, name)
        if value is not None:
            properties[_text(name)] = _text(value)
    return properties


def _function(name: str, result: Any) -> Callable[..., Any]:
    """Bind one of OpenSlide's functions so that it gives bytes as they are."""
    function = lowlevel._lib[name]
    function.restype = result
    bound: Callable[..., Any] = function
    return bound


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
