"""Conversion of 16-bit to 8-bit intensities, and of premultiplied to plain colours.

Cameras store 10, 12, 14 or 16 bits in 16. The number of bits in use is read from the metadata, or else is
that of the largest value on the coarsest level that can be decoded; all levels are shifted right by the same number of
bits, and what is larger still is clipped. No percentile, no stretching: the same slide gives the same bytes
whatever is read of it first.
"""

import numpy as np
from numpy.typing import NDArray


def significant_bits(largest: int) -> int:
    """Bits needed for the largest value, at least 8.

    >>> significant_bits(4095), significant_bits(65535), significant_bits(12)
    (12, 16, 8)
    """
    return max(8, int(largest).bit_length())


def to_eight_bits(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    """Shift 16-bit values with ``bits`` significant ones down to 8, clipping what is larger.

    >>> to_eight_bits(np.array([0, 4095, 5000], np.uint16), 12).tolist()
    [0, 255, 255]
    """
    shifted: NDArray[np.uint16] = np.right_shift(values, bits - 8)
    return np.minimum(shifted, 255).astype(np.uint8)


def straight_colour(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divide out the alpha that colours were multiplied by; what is transparent becomes black.

    >>> straight_colour(np.array([[[64, 128, 0]]], np.uint8), np.array([[[128]]], np.uint8)).tolist()
    [[[128, 255, 0]]]
    """
    share = np.maximum(alpha, 1).astype(np.uint16)
    whole = (colour.astype(np.uint16) * 255 + share // 2) // share
    return np.where(alpha > 0, np.minimum(whole, 255), 0).astype(np.uint8)
