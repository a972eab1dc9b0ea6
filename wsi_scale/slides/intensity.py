"""How 16-bit intensities become 8-bit ones.

Cameras store 10, 12, 14 or 16 bits in 16. The number of bits in use is read from the metadata, or else is
that of the largest value on the slide's coarsest level; all levels are shifted right by the same number of
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
