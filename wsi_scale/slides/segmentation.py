"""Tissue against background on a thumbnail, bright or dark, with fixed rules and no training.

Brightfield: a pixel's distance from the glass is measured in optical density over a few pixels, its colour
counting more than its greyness, because shadows, dust and bubbles are grey and stains are not. The threshold
is Otsu's, limited to a narrow range, so that scanner noise never becomes tissue and pale stains always
do. Ink (a hue that stains do not have, or black, and smooth), black padding and smooth areas are removed,
and so are parts brighter than the glass, because no stain is. All of it is relative to the glass, so that its
colour and the light do not matter. Fluorescence: what is brighter than the dark background.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from wsi_scale.slides.glass import TEXTURE_LEAST, WHITE_LEVEL, black_padding, glass_colour, is_brightfield
from wsi_scale.slides.texture import boxed, deviation, smoothed

_Image = NDArray[np.uint8]
_Mask = NDArray[np.bool_]
_Values = NDArray[np.float32]

#: The mask is computed on at most this many pixels a side and then enlarged.
_WORKING_PX = 1024

#: Otsu's threshold of the distance (natural optical density) is kept within these.
_DISTANCE_BOUNDS = (0.03, 0.05)

#: Brighter than glass is less than this of (natural) optical density, and in no channel darker than that.
_BRIGHTER, _NOT_DARKER = -0.02, 0.02

#: The smallest object and hole, as shares of the image, and never below so many pixels.
_OBJECT_SHARE, _HOLE_SHARE, _LEAST_PX = 1e-4, 4e-4, 16

#: Fluorescence: signal is at least this far above the background (grey levels, and its deviations).
_SIGNAL_LEAST, _SIGNAL_DEVIATIONS = 6.0, 5.0


def segment_tissue(image: _Image, held: _Mask) -> _Mask:
    """Mask of the tissue on a thumbnail.

    Parameters
    ----------
    image
        (h, w, 3) uint8 RGB.
    held
        (h, w) bool: where the slide holds an image; elsewhere nothing was scanned.

    Returns
    -------
    ndarray
        (h, w) bool.
    """
    height, width = image.shape[:2]
    small, seen = _shrunk(image, held)
    mask = _stained(small, seen) if is_brightfield(small, seen) else _bright_signal(small, seen)
    tidied = _tidied(mask & seen) & seen
    factor = _factor(image)
    return np.repeat(np.repeat(tidied, factor, axis=0), factor, axis=1)[:height, :width] & held


def shows_brightfield(image: _Image, held: _Mask) -> bool:
    """Whether a thumbnail shows a brightfield specimen; parameters as for ``segment_tissue``."""
    return is_brightfield(*_shrunk(image, held))


def _shrunk(image: _Image, held: _Mask) -> tuple[_Image, _Mask]:
    """Shrink a thumbnail to working size; also return which pixels are neither transparent nor padding."""
    factor = _factor(image)
    small = np.asarray(Image.fromarray(image).reduce(factor))
    if held.all():
        seen = np.ones(small.shape[:2], np.bool_)
    else:
        share = np.asarray(Image.fromarray(held.astype(np.float32)).reduce(factor))
        # The rim is a mixture of what was seen and the background.
        seen = ~ndimage.binary_dilation(share < 1, iterations=2)
    return small, seen & ~black_padding(small, seen)


def _factor(image: _Image) -> int:
    longest: int = max(image.shape[:2])
    return -(-longest // _WORKING_PX)


def _stained(image: _Image, seen: _Mask) -> _Mask:
    """Tissue on a bright background."""
    # As it would look on white glass in full light.
    gains = WHITE_LEVEL / np.maximum(glass_colour(image, seen), 1)
    white = np.asarray(image * gains, np.float32)
    density = _density(white)
    distance = smoothed(_stain_distance(density), 2.5)
    texture = boxed(deviation(white.mean(axis=2, dtype=np.float32)))
    mask = (distance > _bounded_otsu(distance[seen])) & ~_ink(density, texture)
    return _textured(mask, texture)


def _density(white: _Values) -> _Values:
    """Natural optical density of each channel against white glass, slightly smoothed."""
    return np.asarray(np.log((WHITE_LEVEL + 1) / (smoothed(white, 1.0) + 1)), np.float32)


def _stain_distance(density: _Values) -> _Values:
    """Distance from the glass: colour counts in full, greyness by half; 0 for pixels brighter than glass."""
    grey = density.mean(axis=2)
    colour = np.sqrt(((density - grey[..., np.newaxis]) ** 2).sum(axis=2))
    brighter = (grey < _BRIGHTER) & (density.max(axis=2) < _NOT_DARKER)
    return np.asarray(np.where(brighter, 0, colour + 0.5 * np.maximum(grey, 0)), np.float32)


def _bounded_otsu(distance: _Values) -> float:
    low, high = _DISTANCE_BOUNDS
    clipped = np.minimum(distance, 0.3)
    if not clipped.size or np.ptp(clipped) < 1e-3:
        return high
    return float(np.clip(_otsu(clipped), low, high))


def _otsu(values: _Values) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values))  # type: ignore[no-untyped-call]


def _ink(density: _Values, texture: _Values) -> _Mask:
    """Find pen marks: hues that stains do not have, and smooth black."""
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
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    means = np.atleast_1d(ndimage.mean(texture, labels, np.arange(1, count + 1)))
    keep = np.concatenate([[False], means >= TEXTURE_LEAST])
    return np.asarray(keep[labels], np.bool_)


def _bright_signal(image: _Image, seen: _Mask) -> _Mask:
    """Fluorescence above a dark background."""
    smooth = smoothed(image.max(axis=2).astype(np.float32), 4.0)
    signal = smooth[seen]
    if np.ptp(signal) < _SIGNAL_LEAST:
        return np.zeros(smooth.shape, np.bool_)
    level = float(np.percentile(signal, 10))
    below = signal[signal <= level]
    floor = level + max(_SIGNAL_LEAST, _SIGNAL_DEVIATIONS * float(below.std()))
    return np.asarray(smooth > min(floor, _otsu(signal)), np.bool_)


def _tidied(mask: _Mask) -> _Mask:
    """Close gaps, drop small objects, fill small holes."""
    from skimage.morphology import remove_small_holes, remove_small_objects

    closed = ndimage.binary_closing(np.pad(mask, 4, mode="edge"), iterations=2)[4:-4, 4:-4]
    smallest = max(_LEAST_PX, round(_OBJECT_SHARE * mask.size))
    hole = max(_LEAST_PX, round(_HOLE_SHARE * mask.size))
    kept = remove_small_objects(closed, max_size=smallest)
    return np.asarray(remove_small_holes(kept, max_size=hole), np.bool_)
