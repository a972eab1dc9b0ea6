"""What a layer answers to each tile at several mpp, and at the tile's optimal mpp."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Features:
    """Features in memory, rows as in tiles.parquet.

    Attributes
    ----------
    features
        (tile, mpp, channel) float32; NaN where the mpp is finer than the slide holds or the field cannot be decoded.
    features_optimal
        (tile, channel) float32; NaN where the tile has no optimal mpp or its field cannot be decoded.
    mpps
        (mpp,) µm per pixel.
    padded_share
        (tile, mpp) share of the field outside the slide, filled with the background colour.
    attributes
        Network, layer, digest, fingerprint; ``unreadable_tiles`` where there are any.
    """

    features: NDArray[np.float32]
    features_optimal: NDArray[np.float32]
    mpps: NDArray[np.float64]
    padded_share: NDArray[np.float32]
    attributes: dict[str, Any]
