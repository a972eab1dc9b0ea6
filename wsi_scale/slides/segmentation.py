"""Tissue against background on a thumbnail, bright or dark, with fixed rules and no training.

Brightfield: the glass is the brightest common colour. A pixel's distance from it is measured in optical
density over a few pixels, its colour counting more than its greyness, because shadows, dust and bubbles are
grey and stains are not. The threshold is Otsu's, kept between two narrow floors, so that scanner noise never
becomes tissue and pale stains always do. Ink (a hue that stains do not have, or black, and smooth), black
padding and smooth areas are taken out. Fluorescence: what is brighter than the dark background.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_Image = NDArray[np.uint8]
_Mask = NDArray[np.bool_]
_Values = NDArray[np.float32]

#: The mask is told on at most this many pixels a side and then enlarged.
_WORKING_PX = 1024

#: Pixels whose brightest channel is below this are dark (0–255).
_DARK = 50

#: A slide is dark-field if at least this share of it, black padding aside, is dark.
_DARK_SHARE = 0.3

#: Glass has at least this in every channel; a field without is full of tissue, and this is assumed.
_GLASS_LEAST, _GLASS_ASSUMED = 170, (243.0, 243.0, 243.0)

#: Glass is told from this percentile of the darkest channel: brighter is noise.
_GLASS_PERCENTILE = 98

#: Otsu's threshold of the distance (natural optical density) is kept within these.
_DISTANCE_BOUNDS = (0.03, 0.05)

#: Grey levels by which tissue varies over some pixels; what varies less is smooth.
_TEXTURE_LEAST = 1.5

#: The smallest object and hole, as shares of the image, and never below so many pixels.
_OBJECT_SHARE, _HOLE_SHARE, _LEAST_PX = 1e-4, 4e-4, 16

#: Fluorescence: signal is at least this far above the background (grey levels, and its deviations).
_SIGNAL_LEAST, _SIGNAL_DEVIATIONS = 6.0, 5.0


def segment_tissue(image: _Image) -> _Mask:
    """Mask of the tissue on a thumbnail.

    Parameters
    ----------
    image
        (h, w, 3) uint8 RGB.

    Returns
    -------
    ndarray
        (h, w) bool.
    """
    height, width = image.shape[:2]
    factor = -(-max(height, width) // _WORKING_PX)
    small = np.asarray(Image.fromarray(image).reduce(factor))
    padding = _black_padding(small)
    mask = _bright_signal(small) if _is_dark_field(small, padding) else _stained(small, padding)
    tidied = _tidied(mask & ~padding)
    return np.repeat(np.repeat(tidied, factor, axis=0), factor, axis=1)[:height, :width]


def _black_padding(image: _Image) -> _Mask:
    """Regions of pure black that touch the border of an otherwise bright image."""
    from scipy import ndimage

    black = image.max(axis=2) <= 4
    rest = image[~black]
    if not black.any() or not rest.size or np.percentile(rest.min(axis=1), 75) < 120:
        return np.zeros_like(black)
    labels, _ = ndimage.label(black)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    touching = np.isin(labels, border[border > 0])
    # The rim is a mixture of padding and what lies beside it.
    return np.asarray(ndimage.binary_dilation(touching, iterations=4), np.bool_)


def _is_dark_field(image: _Image, padding: _Mask) -> bool:
    seen = image[~padding]
    return bool(seen.size and np.mean(seen.max(axis=1) < _DARK) >= _DARK_SHARE)


def _stained(image: _Image, padding: _Mask) -> _Mask:
    """Tissue on a bright background."""
    density = _density(image, _glass_colour(image, padding))
    distance = _smoothed(_stain_distance(density), 2.5)
    texture = _boxed(_deviation(image))
    mask = (distance > _bounded_otsu(distance[~padding])) & ~_ink(density, texture)
    return _textured(mask, texture)


def _glass_colour(image: _Image, padding: _Mask) -> tuple[float, float, float]:
    """Brightest common colour, unless that is too dark for glass."""
    least = image.min(axis=2).astype(np.int16)
    blank = least == 255  # what scanners paint where they did not look
    seen = ~padding & ~blank
    if np.count_nonzero(seen & (least > 200)) < 0.005 * seen.size:
        seen = ~padding
    if not seen.any():
        return _GLASS_ASSUMED
    brightest = float(np.percentile(least[seen], _GLASS_PERCENTILE))
    if brightest < _GLASS_LEAST:
        return _GLASS_ASSUMED
    near = image[seen & (np.abs(least - brightest) <= 2)]
    red, green, blue = (float(value) for value in np.median(near, axis=0))
    return red, green, blue


def _density(image: _Image, glass: tuple[float, float, float]) -> _Values:
    """Natural optical density of each channel against the glass, slightly smoothed."""
    smooth = _smoothed(image.astype(np.float32), 1.0)
    return np.asarray(np.log((np.asarray(glass, np.float32) + 1) / (smooth + 1)), np.float32)


def _stain_distance(density: _Values) -> _Values:
    """Distance from the glass: colour in full, greyness by half."""
    grey = density.mean(axis=2)
    colour = np.sqrt(((density - grey[..., np.newaxis]) ** 2).sum(axis=2))
    return np.asarray(colour + 0.5 * np.maximum(grey, 0), np.float32)


def _bounded_otsu(distance: _Values) -> float:
    low, high = _DISTANCE_BOUNDS
    clipped = np.minimum(distance, 0.3)
    if not clipped.size or np.ptp(clipped) < 1e-3:
        return high
    return float(np.clip(_otsu(clipped), low, high))


def _otsu(values: _Values) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values))  # type: ignore[no-untyped-call]


def _deviation(image: _Image) -> _Values:
    """Local standard deviation of the mean channel, in grey levels."""
    # Noise differs from pixel to pixel, tissue does not: a little smoothing leaves only tissue.
    grey = _smoothed(image.mean(axis=2, dtype=np.float32), 1.0)
    mean = _boxed(grey)
    return np.sqrt(np.maximum(_boxed(grey * grey) - mean * mean, 0))


def _ink(density: _Values, texture: _Values) -> _Mask:
    """Find marks of a pen: hues that stains do not have, and smooth black."""
    from scipy import ndimage

    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    # Stains absorb green at least about as much as red; green and blue ink absorb red far more.
    cold = (red > 0.3) & (green < 0.72 * red)
    # Blue counterstains look like thin blue ink, so that counts only where it is thick and even.
    blueish = cold & (red > 0.8)
    # Eosin and blood let blue through; red ink does not.
    reddish = (green > 1.2) & (blue > 0.8 * green) & (red < 0.6 * green)
    # Dense tissue is dark too, but coloured: only what is nearly black is ink.
    dark = (density.min(axis=2) > 1.2) & (np.ptp(density, axis=2) < 0.5)
    cores = (cold & (blue > 0.7 * green)) | (blueish & (texture < 12))
    cores |= (reddish & (texture < 6)) | (dark & (texture < 3.5))
    marks = ndimage.binary_opening(cores, iterations=1)
    fading = (red > 0.06) & (green < 0.8 * red) & (texture < 6)
    spread = ndimage.binary_propagation(marks, mask=marks | blueish | reddish | dark | fading)
    return np.asarray(ndimage.binary_dilation(spread, iterations=7), np.bool_)


def _textured(mask: _Mask, texture: _Values) -> _Mask:
    """Objects of a mask without those that are smooth all over."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    if not count:
        return mask
    means = np.atleast_1d(ndimage.mean(texture, labels, np.arange(1, count + 1)))
    keep = np.concatenate([[False], means >= _TEXTURE_LEAST])
    return np.asarray(keep[labels], np.bool_)


def _bright_signal(image: _Image) -> _Mask:
    """Fluorescence above a dark background."""
    signal = _smoothed(image.max(axis=2).astype(np.float32), 4.0)
    if np.ptp(signal) < _SIGNAL_LEAST:
        return np.zeros(signal.shape, np.bool_)
    level = float(np.percentile(signal, 10))
    below = signal[signal <= level]
    floor = level + max(_SIGNAL_LEAST, _SIGNAL_DEVIATIONS * float(below.std()))
    return np.asarray(signal > min(floor, _otsu(signal)), np.bool_)


def _tidied(mask: _Mask) -> _Mask:
    """Close gaps, drop small objects, fill small holes."""
    from scipy import ndimage
    from skimage.morphology import remove_small_holes, remove_small_objects

    closed = ndimage.binary_closing(np.pad(mask, 4, mode="edge"), iterations=2)[4:-4, 4:-4]
    smallest = max(_LEAST_PX, round(_OBJECT_SHARE * mask.size))
    hole = max(_LEAST_PX, round(_HOLE_SHARE * mask.size))
    kept = remove_small_objects(closed, max_size=smallest)
    return np.asarray(remove_small_holes(kept, max_size=hole), np.bool_)


def _smoothed(values: _Values, sigma: float) -> _Values:
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(values, sigma, axes=(0, 1)), np.float32)


def _boxed(values: _Values) -> _Values:
    from scipy import ndimage

    return np.asarray(ndimage.uniform_filter(values, 7), np.float32)
