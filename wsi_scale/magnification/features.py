"""What a head sees of a tile: logarithms of pooled responses (docs/science.md)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Keeps the logarithm of a silent channel finite.
FLOOR = 1e-3


def log_features(responses: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
    """Concatenate the logarithms of pooled responses: layer → (tile, channel) gives (tile, feature)."""
    stacked = np.concatenate([np.asarray(values, np.float64) for values in responses.values()], axis=1)
    features: NDArray[np.float64] = np.log(np.maximum(stacked, 0) + FLOOR)
    return features
