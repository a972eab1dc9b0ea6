"""How much an image varies over some pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Side of the window that variation is measured over, pixels.
WINDOW_PX = 7


def smoothed(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur (row, col) or (row, col, channel) values by a Gaussian of ``sigma`` pixels."""
    return np.asarray(ndimage.gaussian_filter(values, sigma, axes=(0, 1)), np.float32)


def boxed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of (row, col) values over a square window."""
    return np.asarray(ndimage.uniform_filter(values, WINDOW_PX), np.float32)


def deviation(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Local standard deviation of (row, col) values, in their unit.

    Noise differs from pixel to pixel, tissue does not: a little smoothing leaves only tissue.
    """
    smooth = smoothed(values, 1.0)
    mean = boxed(smooth)
    return np.sqrt(np.maximum(boxed(smooth * smooth) - mean * mean, 0))
