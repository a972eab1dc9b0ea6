"""The interface of every opened slide, whichever library reads it."""

import abc
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import RegionError, SlideError
from wsi_scale.slides.border import decoding
from wsi_scale.slides.levels import Level, settle_by_pixels, settle_by_size
from wsi_scale.slides.mpp_claim import MppClaim

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)

#: A slide whose border is darker than this in every channel (median, 0–255) has a dark background.
DARK_BORDER = 50

#: Side in pixels of the patches along the border that decide the background.
BORDER_PATCH_PX = 32


#: Library that decodes the pixels of TIFF-based slides.
Reader = Literal["openslide", "tifffile"]


class Slide(abc.ABC):
    """An opened slide: sizes, properties and regions as 8-bit RGB.

    Reading is thread-safe; a slide is opened once per worker and never pickled.

    Parameters
    ----------
    path
        File (or folder of DICOM or OME-Zarr) as it was given.
    vendor
        What the file claims to be, e.g. ``aperio`` or ``generic-tiff``.
    levels
        The pyramid as the reader reports it, finest level first; downsamples are settled by the sizes.
    properties
        Metadata of the reader (``openslide.*`` keys where OpenSlide could tell).
    warnings
        One line each, for the user.
    """

    def __init__(
        self,
        path: Path,
        vendor: str,
        levels: tuple[Level, ...],
        properties: Mapping[str, str],
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        #: What the reader itself knows of µm per pixel, the most trusted first.
        self.mpp_claims: tuple[MppClaim, ...] = ()
        #: Why there is no such claim, where the reader knows it.
        self.why_no_mpp = ""
        self.is_closed = False
        self.vendor = vendor
        self._reported = levels
        self._settled = settle_by_size(
            [(level.width, level.height) for level in levels], [level.downsample for level in levels]
        )
        self.properties: Mapping[str, str] = MappingProxyType(dict(properties))
        self.warnings = warnings

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest level first; only levels that show level 0 at a known factor."""
        return self._settled.levels

    @property
    def width(self) -> int:
        """Width of level 0 in pixels."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Height of level 0 in pixels."""
        return self.levels[0].height

    @cached_property
    def background(self) -> tuple[int, int, int]:
        """Colour (R, G, B) of what lies outside the slide.

        The slide's own ``openslide.background-color`` if it has one, else black for a slide whose border
        is dark (fluorescence), else white.
        """
        given = self.properties.get("openslide.background-color", "").lstrip("#")
        if len(given) == 6 and all(digit in "0123456789abcdefABCDEF" for digit in given):
            return int(given[:2], 16), int(given[2:4], 16), int(given[4:], 16)
        return BLACK if _border_is_dark(self) else WHITE

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Read a box of one level.

        Parameters
        ----------
        level
            Index into ``levels``.
        x, y
            Top-left corner in *that level's* pixels.
        width, height
            Size in that level's pixels.

        Returns
        -------
        ndarray
            (height, width, 3) uint8 RGB; transparent pixels show ``background``.

        Raises
        ------
        RegionError
            If the file cannot be decoded there.
        ReadError
            If the system cannot read the file, or has no memory for it.
        ValueError
            If the box does not lie inside the level.
        """
        pixels = self._checked_read(level, x, y, width, height)
        if pixels.shape[2] == 3:
            return pixels
        return _composite(pixels, self.background)

    def read_alpha(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8] | None:
        """Read how opaque a box is: (height, width), 0 to 255, or None where the format knows no transparency.

        Box and errors are those of ``read``.
        """
        pixels = self._checked_read(level, x, y, width, height)
        return pixels[..., 3] if pixels.shape[2] == 4 else None

    def _checked_read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        if self.is_closed:
            raise SlideError(f"{self.path}: the slide is closed; open it again")
        box = self.levels[level]
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > box.width or y + height > box.height:
            raise ValueError(f"box x={x} y={y} {width}x{height} leaves level {level} ({box.width}x{box.height})")
        return self._decode(self._settled.numbers[level], x, y, width, height)

    def _decode(self, number: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        with decoding(self.path, number, x, y):
            return self._read_pixels(number, x, y, width, height)

    def _settle_by_pixels(self) -> None:
        """Find each level's true downsample, or leave the level out, if the format has no rule for it."""
        sizes = [(level.width, level.height) for level in self._reported]
        self._settled = settle_by_pixels(sizes, [level.downsample for level in self._reported], self._decode)
        self.warnings += tuple(
            f"an image of {sizes[number][0]}x{sizes[number][1]} px is left out: at no downsample does it show what "
            f"level 0 ({sizes[0][0]}x{sizes[0][1]} px) shows"
            for number in self._settled.left_out
        )

    @abc.abstractmethod
    def _read_pixels(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Pixels of a checked box: (height, width, 3) RGB or (height, width, 4) RGBA, uint8; the reader's own level."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release the file; the slide cannot be read afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a slide cannot be pickled: send its path and open it in the worker")


def level_scale(slide: Slide, level: int) -> tuple[float, float]:
    """Level-0 pixels per pixel of a level, along x and y."""
    own = slide.levels[level]
    return own.scale_x, own.scale_y


def _composite(rgba: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Lay (h, w, 4) RGBA on a background colour; returns (h, w, 3)."""
    alpha = rgba[..., 3:]
    if alpha.min() == 255:
        opaque = np.empty((*rgba.shape[:2], 3), np.uint8)
        for channel in range(3):  # one by one four times as fast as all at once
            opaque[..., channel] = rgba[..., channel]
        return opaque
    weight = alpha.astype(np.uint16)
    behind = np.asarray(background, dtype=np.uint16)
    mixed = (rgba[..., :3] * weight + behind * (255 - weight) + 127) // 255
    return mixed.astype(np.uint8)


def _border_is_dark(slide: Slide) -> bool:
    """Whether patches along the border are dark, by the coarsest level that can be decoded there."""
    for level in reversed(range(len(slide.levels))):
        values = _border_values(slide, level)
        if values.size:
            return bool(np.median(values) < DARK_BORDER)
    return False


def _border_values(slide: Slide, number: int) -> NDArray[np.uint8]:
    """Brightest colour of each pixel in patches along the border of a level; transparent pixels don't count."""
    level = slide.levels[number]
    width, height = min(BORDER_PATCH_PX, level.width), min(BORDER_PATCH_PX, level.height)
    xs = [round(share * (level.width - width)) for share in (0, 0.25, 0.5, 0.75, 1)]
    ys = [round(share * (level.height - height)) for share in (0, 0.25, 0.5, 0.75, 1)]
    corners = {(x, y) for x in xs for y in ys if x in (xs[0], xs[-1]) or y in (ys[0], ys[-1])}
    brightest = []
    for x, y in sorted(corners):
        try:
            pixels = slide._checked_read(number, x, y, width, height)
        except RegionError:  # told from the others
            continue
        opaque = pixels[pixels[..., 3] > 0] if pixels.shape[2] == 4 else pixels.reshape(-1, 3)
        brightest.append(opaque[:, :3].max(axis=1))
    return np.concatenate(brightest) if brightest else np.zeros(0, np.uint8)
