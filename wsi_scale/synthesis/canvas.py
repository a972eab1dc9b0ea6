"""A canvas of dye densities, and its conversion to a picture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.synthesis.stain import Stain
from wsi_scale.synthesis.texture import Field, gaussian_field

#: Rows developed at once: the colours of a whole slide need not be in memory as floats.
STRIP_ROWS = 512


@dataclass(frozen=True)
class Canvas:
    """Densities of the dyes; drawing functions change its arrays in place.

    Attributes
    ----------
    haematoxylin, eosin, ink
        Units of dye, arrays (row, column).
    room
        Where a nucleus may still be placed, 0–1, array (row, column).
    mpp
        µm per pixel. Positions in µm are measured from the top-left corner, x to the right, y down.
    """

    haematoxylin: Field
    eosin: Field
    ink: Field
    room: Field
    mpp: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.eosin.shape
        return rows, columns

    @property
    def size_um(self) -> tuple[float, float]:
        """Width and height in µm."""
        return self.shape[1] * self.mpp, self.shape[0] * self.mpp

    def window(self, x_um: float, y_um: float, reach_um: float) -> tuple[tuple[slice, slice], Field, Field]:
        """Part of the canvas within ``reach_um`` of a point.

        Returns
        -------
        tuple
            Slices (rows, columns) and the offsets dx (1, columns) and dy (rows, 1) of the pixels'
            centres from the point, in µm. Outside the canvas they are empty.
        """
        spans = []
        for centre, length in ((y_um, self.shape[0]), (x_um, self.shape[1])):
            first = min(max(math.floor((centre - reach_um) / self.mpp), 0), length)
            last = min(max(math.ceil((centre + reach_um) / self.mpp), first), length)
            spans.append(slice(first, last))
        rows, columns = spans
        dy = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * self.mpp - y_um
        dx = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5) * self.mpp - x_um
        return (rows, columns), dx[None, :].astype(np.float32), dy[:, None].astype(np.float32)

    def room_at(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> Field:
        """Room left at positions in µm."""
        row = np.clip((y_um / self.mpp).astype(int), 0, self.shape[0] - 1)
        column = np.clip((x_um / self.mpp).astype(int), 0, self.shape[1] - 1)
        room: Field = self.room[row, column]
        return room


def blank_canvas(width_um: float, height_um: float, mpp: float) -> Canvas:
    """Empty canvas of a size in µm, rounded to whole pixels; everything has room."""
    shape = (round(height_um / mpp), round(width_um / mpp))
    empty = [np.zeros(shape, np.float32) for _ in range(3)]
    return Canvas(empty[0], empty[1], empty[2], np.ones(shape, np.float32), mpp)


@dataclass(frozen=True)
class Camera:
    """What the scanner adds.

    Attributes
    ----------
    blur_px
        Standard deviation of the optics' blur, in pixels.
    noise
        Standard deviation of the sensor's noise, in grey levels of 255.
    unevenness
        Standard deviation of the illumination, relative.
    """

    blur_px: float = 0.5
    noise: float = 1.5
    unevenness: float = 0.012


def develop(canvas: Canvas, stain: Stain, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn densities into an 8-bit RGB picture, array (row, column, colour).

    Light passes the dyes (Beer and Lambert), the optics blur, the lamp is uneven and the sensor noisy.
    """
    haematoxylin, eosin = (_blurred(dye, camera.blur_px) for dye in (canvas.haematoxylin, canvas.eosin))
    light = _illumination(canvas.shape, camera.unevenness, rng)
    picture = np.empty((*canvas.shape, 3), np.uint8)
    for top in range(0, canvas.shape[0], STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        grain = rng.standard_normal((2, *light[rows].shape), dtype=np.float32)
        for index in range(3):
            density = haematoxylin[rows] * np.float32(stain.haematoxylin[index])
            density += eosin[rows] * np.float32(stain.eosin[index])
            density += canvas.ink[rows] * np.float32(stain.ink[index])
            shade = np.exp(-density) * light[rows] * np.float32(255.0 * stain.glass[index])
            shade += np.float32(camera.noise) * _colour_grain(grain, index)
            picture[rows, :, index] = np.clip(shade + 0.5, 0, 255).astype(np.uint8)
    return picture


def _blurred(dye: Field, blur_px: float) -> Field:
    from scipy import ndimage

    if blur_px < 0.15:
        return dye
    blurred: Field = ndimage.gaussian_filter(dye, blur_px, mode="nearest", truncate=3.0)
    return blurred


def _illumination(shape: tuple[int, int], unevenness: float, rng: np.random.Generator) -> Field:
    """Slow waves and a darker rim of the lamp, mean about 1."""
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in shape)
    vignette = 1.0 - 1.2 * np.float32(unevenness) * (y[:, None] ** 2 + x[None, :] ** 2)
    return vignette + np.float32(unevenness) * gaussian_field(shape, max(shape) / 5.0, rng)


def _colour_grain(grain: Field, index: int) -> Field:
    """Noise of one colour: three correlated mixtures of two independent fields (correlation −0.5 to 0.5)."""
    angle = index * math.pi / 3.0
    mixed: Field = np.float32(math.cos(angle)) * grain[0] + np.float32(math.sin(angle)) * grain[1]
    return mixed
