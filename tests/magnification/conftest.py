"""Patterns of known size, and how to read their size back."""

from collections.abc import Callable

import numpy as np
import pytest


def make_grating(side_px: int, mpp: float, wavelength_um: float, angle: float = 0.3) -> np.ndarray:
    """Stripes of a wavelength in µm on pixels of ``mpp`` µm, (row, col, rgb)."""
    y, x = np.mgrid[:side_px, :side_px] * mpp
    along = x * np.cos(angle) + y * np.sin(angle)
    grey = 140 + 70 * np.sin(2 * np.pi * along / wavelength_um)
    return np.repeat(grey[..., None], 3, axis=2).round().astype(np.uint8)


def read_wavelength_px(tile: np.ndarray) -> float:
    """Wavelength of the strongest stripes, pixels: the centroid of the spectrum's highest peak."""
    side = tile.shape[0]
    grey = tile.astype(float).mean(axis=2)
    window = np.hanning(side)
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window * window[:, None], (2 * side,) * 2)))
    spectrum[: side + 1] = 0
    row, col = np.unravel_index(spectrum.argmax(), spectrum.shape)
    near = np.s_[row - 2 : row + 3, col - 2 : col + 3]
    rows, cols = np.mgrid[near]
    weight = spectrum[near] ** 2
    fy, fx = ((places * weight).sum() / weight.sum() - side for places in (rows, cols))
    return 2 * side / float(np.hypot(fy, fx))


@pytest.fixture(scope="session")
def grating() -> Callable[..., np.ndarray]:
    """Maker of stripes of a known wavelength."""
    return make_grating


@pytest.fixture(scope="session")
def wavelength_px() -> Callable[[np.ndarray], float]:
    """Reader of the wavelength of stripes."""
    return read_wavelength_px
