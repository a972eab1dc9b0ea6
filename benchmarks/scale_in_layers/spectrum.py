"""What the power spectrum alone shows of an image: the control for networks of random weights."""

import numpy as np
from numpy.typing import NDArray

#: Bands of spatial frequency, evenly spaced on a logarithmic axis from two periods an image to half a period a pixel.
BANDS = 16


def spectrum_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logarithms of the power in bands of spatial frequency: (image, row, col, rgb) → (image, band)."""
    side = images.shape[1]
    window = np.outer(np.hanning(side), np.hanning(side))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    edges = np.geomspace(2 / side, 0.5, BANDS + 1)
    band = np.digitize(frequency, edges)
    inside = [band == number for number in range(1, BANDS + 1)]
    features = np.empty((len(images), BANDS))
    for index, image in enumerate(images):
        grey = image.mean(axis=2)
        power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
        features[index] = [np.log(power[mask].mean() + 1) for mask in inside]
    return features
