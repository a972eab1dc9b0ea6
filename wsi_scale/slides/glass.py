"""Brightfield or fluorescence: light through glass of any colour, or emission on black.

Nothing here assumes how bright glass is, or of what colour. Stains only take light away, so glass is the
brightest common colour; and where light comes through a slide, what is smooth (glass) is brighter than what
is not, while in fluorescence it is darker.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wsi_scale.slides.texture import WINDOW_PX, deviation, smoothed

_Image = NDArray[np.uint8]
_Mask = NDArray[np.bool_]
_Values = NDArray[np.float32]

#: Grey levels of glass by which rules on texture are meant; dimmer glass is brought to it first.
WHITE_LEVEL = 243.0

#: Grey levels on white glass by which tissue varies over some pixels; what varies less is smooth.
TEXTURE_LEAST = 1.5

#: Pixels whose brightest channel is below this are dark (0–255); where fewer than this share are, there is light.
_DARK, _DARK_SHARE = 50, 0.3

#: Pixels whose brightest channel is at most this are black, as nothing is that a camera has seen.
_BLACK = 4

#: Padding ends where light is: beside it every channel has this share of the brightest. Signal fades into black.
_BESIDE_PADDING = 0.35

#: Black at the border is padding at any rate where a quarter of the rest has this in every channel.
_BRIGHT_LEAST = 120

#: Percentile of brightness that is taken for glass: brighter pixels are noise and dust.
_GLASS_PERCENTILE = 98

#: Shares of the brightness within which pixels have one colour, and smooth ones are preferred to brighter ones.
_ONE_COLOUR_WITHIN, _SMOOTH_WITHIN = 0.008, 0.05

#: What has this in every channel may be painted by the scanner, not seen by it (JPEG does not keep 255).
_PAINTED_LEAST = 253

#: Less than this share of an image is too little to tell glass from.
_GLASS_SHARE = 0.01

#: Smooth parts tell from this share of an image if they are brighter than the others, from that if they are darker.
_BRIGHT_SHARE, _DIM_SHARE = 0.005, 0.1

#: Where the smoothest tenth varies this little (grey levels), it does so by noise.
_NOISE_MOST = 1.0

#: An image whose brightest parts are below this shows no light that came through anything (0–255).
_LIGHT_LEAST = 25

#: Fluorescence is of one colour, or grey (least over largest channel), or spans more than stains do (5th over
#: 99th percentile): those take a part of every colour, and never all of it.
_ONE_COLOUR, _GREY, _STAINS_SPAN = 0.25, 0.9, 0.12


def black_padding(image: _Image, seen: _Mask) -> _Mask:
    """Regions of pure black that touch the border of an otherwise bright image.

    Parameters
    ----------
    image
        (h, w, 3) uint8 RGB.
    seen
        (h, w) bool: what counts (transparent places do not).

    Returns
    -------
    ndarray
        (h, w) bool.
    """
    black = image.max(axis=2) <= _BLACK
    labels, _ = ndimage.label(black)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    touching = np.isin(labels, border[border > 0])
    # The rim is a mixture of padding and what lies beside it.
    padding = np.asarray(ndimage.binary_dilation(touching, iterations=4), np.bool_)
    return padding if touching.any() and _is_padding(image, padding, seen & ~padding) else np.zeros_like(black)


def _is_padding(image: _Image, black: _Mask, rest: _Mask) -> bool:
    """Whether the parts beside black are certainly brightfield."""
    if not rest.any():
        return False
    least = image.min(axis=2)
    if np.percentile(least[rest], 75) >= _BRIGHT_LEAST:
        return True
    beside = ndimage.binary_dilation(black, iterations=4) & rest
    top = float(np.percentile(image.max(axis=2)[rest], 99))
    share, brighter = _smooth_parts(image, rest)
    return bool(brighter and share >= _DIM_SHARE and beside.any() and np.median(least[beside]) >= _BESIDE_PADDING * top)


def is_brightfield(image: _Image, seen: _Mask) -> bool:
    """Whether an image shows a brightfield specimen, however small; else fluorescence or dark field.

    Parameters
    ----------
    image
        (h, w, 3) uint8 RGB.
    seen
        (h, w) bool: what counts (padding does not).
    """
    if not seen.any():
        return True  # nothing says otherwise
    dark = float(np.mean(image.max(axis=2)[seen] < _DARK))
    return dark < _DARK_SHARE or _lit_through(image, seen)


def glass_colour(image: _Image, seen: _Mask) -> _Values:
    """Colour (R, G, B) of the glass: the brightest common colour.

    White that the scanner filled in where it did not scan counts only if nothing else is taken for glass. A
    field full of tissue has no glass; there it is the brightest common colour of the tissue.

    Parameters
    ----------
    image
        (h, w, 3) uint8 RGB.
    seen
        (h, w) bool: what counts (padding does not).
    """
    # Smoothed, so that noise is not taken for brighter glass.
    levels = smoothed(image.astype(np.float32), 1.0)
    texture = deviation(image.mean(axis=2, dtype=np.float32))
    shown = seen & ~_maybe_painted(image)
    if np.count_nonzero(shown) >= _GLASS_SHARE * shown.size:
        colour, smooth = _brightest_common(levels, texture, shown)
        if smooth:
            return colour
    return _brightest_common(levels, texture, seen if seen.any() else np.ones_like(seen))[0]


def _maybe_painted(image: _Image) -> _Mask:
    """Parts of an image that are white, or do not vary at all over some pixels."""
    window = (WINDOW_PX, WINDOW_PX, 1)
    even = (ndimage.maximum_filter(image, window) == ndimage.minimum_filter(image, window)).all(axis=2)
    # Up to its edge, and a little further: that is smoothed before glass is told.
    whole = ndimage.maximum_filter(even, WINDOW_PX + 4)
    return np.asarray(whole | (image.min(axis=2) >= _PAINTED_LEAST), np.bool_)


def _brightest_common(levels: _Values, texture: _Values, among: _Mask) -> tuple[_Values, bool]:
    """Brightest common colour among some pixels, and whether it is that of smooth parts."""
    # The geometric mean: a tint takes the same share of it everywhere.
    bright = np.exp(np.log(levels + 1).mean(axis=2))
    brightest = float(np.percentile(bright[among], _GLASS_PERCENTILE, method="nearest"))
    even = texture < TEXTURE_LEAST * max(brightest, 1.0) / WHITE_LEVEL
    smooth = among & even & (bright >= (1 - _SMOOTH_WITHIN) * brightest)
    is_smooth = bool(np.count_nonzero(smooth) >= _GLASS_SHARE * among.size)
    if is_smooth:
        among = smooth
        brightest = float(np.percentile(bright[among], _GLASS_PERCENTILE, method="nearest"))
    common = among & (np.abs(bright - brightest) <= _ONE_COLOUR_WITHIN * brightest)
    return np.asarray(np.median(levels[common], axis=0), np.float32), is_smooth


def _lit_through(image: _Image, seen: _Mask) -> bool:
    """Whether smooth parts are brighter than others; if that is unclear, whether the colours are those of stains."""
    share, brighter = _smooth_parts(image, seen)
    if brighter and share >= _BRIGHT_SHARE:
        return True
    if share >= _DIM_SHARE:
        return False
    largest = image.max(axis=2)[seen]
    darkest, brightest = np.percentile(largest, (5, 99))
    evenness = float(np.median((image.min(axis=2)[seen] + 1.0) / (largest + 1.0)))
    stained = _ONE_COLOUR <= evenness <= _GREY and darkest >= _STAINS_SPAN * brightest
    return bool(stained and brightest >= _LIGHT_LEAST)


def _smooth_parts(image: _Image, seen: _Mask) -> tuple[float, bool]:
    """Share of the image that is smooth, and whether that part is brighter than the rest."""
    brightest = smoothed(image.max(axis=2).astype(np.float32), 1.0)
    top = float(np.percentile(brightest[seen], 99))
    texture = deviation(image.mean(axis=2, dtype=np.float32))
    noise = min(1.3 * float(np.percentile(texture[seen], 10)), _NOISE_MOST)
    smooth = seen & (texture < max(TEXTURE_LEAST * top / WHITE_LEVEL, noise))
    rough = seen & ~smooth
    share = float(np.count_nonzero(smooth) / np.count_nonzero(seen))
    if top < _LIGHT_LEAST or not (smooth.any() and rough.any()):
        return share, False
    return share, bool(np.median(brightest[smooth]) > np.median(brightest[rough]))
