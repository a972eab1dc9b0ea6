"""Random fields with correlation lengths in µm: grain that does not scale with the nuclei."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

#: Fibres are drawn at this µm per pixel at the finest; they are blurred more than that anyway.
FIBRE_MPP = 0.5

#: Rows interpolated at once; few enough to stay in the processor's cache.
STRIP_ROWS = 32


@dataclass(frozen=True)
class Texture:
    """Appearance of the ground between nuclei.

    Attributes
    ----------
    lengths_um
        Standard deviations of the Gaussians that smooth the noise, one per component.
    contrast
        Standard deviation of the sum of those components, relative to the mean density.
    fibre
        Contrast of the fibres.
    fibre_um
        Their (width, length), as standard deviations.
    crossed
        Whether a second set of fibres crosses the first.
    """

    lengths_um: tuple[float, ...]
    contrast: float
    fibre: float = 0.0
    fibre_um: tuple[float, float] = (0.9, 14.0)
    crossed: bool = False


TEXTURES: dict[str, Texture] = {
    "a": Texture((3.0, 6.0), 0.22),
    "b": Texture((0.4, 0.7), 0.22),
    "fibres": Texture((0.6, 10.0), 0.12, fibre=0.26),
    "smooth": Texture((15.0,), 0.10),
    "c": Texture((1.2, 9.0), 0.20),
    "d": Texture((0.5, 2.2), 0.22),
    "weave": Texture((0.8,), 0.08, fibre=0.22, fibre_um=(1.4, 9.0), crossed=True),
    "drift": Texture((0.3, 20.0), 0.16),
}

#: Which textures a family of scenes uses: evaluation never sees the textures of calibration.
TEXTURE_FAMILIES: dict[str, tuple[str, ...]] = {
    "calibration": ("a", "b", "fibres", "smooth"),
    "truth": ("c", "d", "weave", "drift"),
}


def enlarge(coarse: Field, shape: tuple[int, int]) -> Field:
    """Interpolate an array (rows, columns) linearly to a larger shape that covers the same area."""
    rows, columns = shape
    if coarse.shape == shape:
        return coarse
    left, right, part = _neighbours(coarse.shape[1], columns)
    wide = coarse[:, left] * (1 - part) + coarse[:, right] * part
    above, below, part = _neighbours(coarse.shape[0], rows)
    enlarged = np.empty(shape, np.float32)
    for top in range(0, rows, STRIP_ROWS):
        strip = slice(top, top + STRIP_ROWS)
        upper, steep = wide[above[strip]], wide[below[strip]]
        steep -= upper
        steep *= part[strip, None]
        np.add(upper, steep, out=enlarged[strip])
    return enlarged


def _neighbours(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Field]:
    """Find the two old samples about each new one (their indices) and the weight of the second."""
    place = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, old - 1), (place - first).astype(np.float32)


def smoothstep(values: NDArray[np.floating], low: float, high: float) -> Field:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = (np.asarray(values, np.float32) - np.float32(low)) * np.float32(1.0 / (high - low))
    np.clip(t, 0.0, 1.0, out=t)
    risen: Field = 3.0 - 2.0 * t
    risen *= t
    risen *= t
    return risen


def bump(values: NDArray[np.floating], width: float) -> Field:
    """Nearly exp(−(values / width)²), to within 0.08, but 0 beyond 2 widths and quicker."""
    t = np.asarray(values, np.float32) * np.float32(0.5 / width)
    t *= t
    risen: Field = np.maximum(np.float32(1.0) - t, np.float32(0.0))
    risen *= risen
    risen *= risen
    return risen


def coarse_shape(shape: tuple[int, int], mpp: float, coarse_mpp: float) -> tuple[int, int]:
    """Shape of a grid of at least ``coarse_mpp`` µm per pixel over the area of ``shape`` at ``mpp``."""
    factor = max(1.0, coarse_mpp / mpp)
    return max(2, math.ceil(shape[0] / factor)), max(2, math.ceil(shape[1] / factor))


def gaussian_field(shape: tuple[int, int], length_px: float, rng: np.random.Generator) -> Field:
    """Smooth white noise with a Gaussian, to variance one as if the noise were continuous.

    A field much finer than a pixel averages out, as it does in a real camera: below a length of
    0.28 px the variance falls with the square of the length.

    Parameters
    ----------
    shape
        Rows and columns.
    length_px
        Standard deviation of the smoothing Gaussian, in pixels.
    rng
        Random numbers for the noise.

    Returns
    -------
    Field
        Array (rows, columns), mean about 0.
    """
    from scipy import ndimage

    step = max(1, int(length_px / 1.5))
    small = coarse_shape(shape, 1.0, step)
    sigma = length_px / step
    noise = rng.standard_normal(small, dtype=np.float32)
    field: Field = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3.0)
    reach = np.arange(-30, 31)
    kernel = np.exp(-0.5 * (reach / max(sigma, 1e-3)) ** 2)
    kept = float((kernel**2).sum() / kernel.sum() ** 2)
    field *= np.float32(min(2.0 * math.sqrt(math.pi) * sigma, 1.0 / kept))
    return enlarge(field, shape)


@dataclass(frozen=True)
class Flow:
    """A direction at each place: fibres run along the level lines of ``across_um``.

    Attributes
    ----------
    along_um, across_um
        Coordinates along and across the fibres, in µm, arrays (row, column) on a coarse grid.
    mpp
        µm per pixel of that grid.
    """

    along_um: Field
    across_um: Field
    mpp: float

    def angle(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Directions of the fibres (radians from +x towards +y) at positions in µm."""
        rows, columns = self.across_um.shape
        row = np.clip((y_um / self.mpp).astype(int), 1, rows - 2)
        column = np.clip((x_um / self.mpp).astype(int), 1, columns - 2)
        by_y = self.across_um[row + 1, column] - self.across_um[row - 1, column]
        by_x = self.across_um[row, column + 1] - self.across_um[row, column - 1]
        angles: NDArray[np.float64] = np.arctan2(-by_x, by_y).astype(np.float64)
        return angles


def make_flow(
    shape: tuple[int, int], mpp: float, rng: np.random.Generator, *, angle: float, waviness_um: float = 18.0
) -> Flow:
    """Lay a wavy field of directions about one mean direction.

    Parameters
    ----------
    shape
        Rows and columns of the picture it is for.
    mpp
        µm per pixel of that picture.
    rng
        Random numbers for the waves.
    angle
        Mean direction, radians from +x towards +y.
    waviness_um
        How far the fibres swing to either side.
    """
    small = coarse_shape(shape, mpp, FIBRE_MPP)
    step = shape[0] * mpp / small[0]
    y, x = np.ogrid[0 : small[0], 0 : small[1]]
    cosine, sine = math.cos(angle), math.sin(angle)
    wave = gaussian_field(small, 45.0 / step, rng) + 0.18 * gaussian_field(small, 13.0 / step, rng)
    along = (step * (x * cosine + y * sine)).astype(np.float32)
    across = (step * (y * cosine - x * sine)).astype(np.float32)
    across += np.float32(waviness_um) * wave
    return Flow(along, across, step)


def fibre_field(flow: Flow, shape: tuple[int, int], fibre_um: tuple[float, float], rng: np.random.Generator) -> Field:
    """Draw fibres of a (width, length) in µm along a flow; unit variance, array of ``shape``."""
    from scipy import ndimage

    width, length = (max(value / FIBRE_MPP, 0.3) for value in fibre_um)
    side = int(min(1536, max(384, max(flow.across_um.shape))))
    noise = rng.standard_normal((side, side), dtype=np.float32)
    strands = ndimage.gaussian_filter(noise, (width, length), mode="wrap", truncate=3.0)
    strands /= strands.std()
    places = np.stack([flow.across_um, flow.along_um]) / FIBRE_MPP
    drawn: Field = ndimage.map_coordinates(strands, places, order=1, mode="grid-wrap", output=np.float32)
    return enlarge(drawn, shape)


def ground(texture: Texture, flow: Flow, shape: tuple[int, int], mpp: float, rng: np.random.Generator) -> Field:
    """Relative density of the ground (mean 1) of a texture: array of ``shape`` at ``mpp`` µm per pixel."""
    density = np.ones(shape, np.float32)
    share = texture.contrast / math.sqrt(len(texture.lengths_um))
    for length_um in texture.lengths_um:
        density += np.float32(share) * gaussian_field(shape, length_um / mpp, rng)
    flows = [flow, Flow(flow.across_um, flow.along_um, flow.mpp)] if texture.crossed else [flow]
    for direction in flows if texture.fibre else []:
        density += np.float32(texture.fibre / len(flows)) * fibre_field(direction, shape, texture.fibre_um, rng)
    return density
