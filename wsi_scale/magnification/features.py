"""What the regressor sees of a tile: logarithms of pooled responses (PAPERS.md H.3)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Layers of the embedded network that the regressor reads.
REGRESSOR_LAYERS = ("C2_2", "C3_2", "C4_2", "C5_2")
#: Keeps the logarithm of a silent channel finite.
_FLOOR = 1e-3


def log_features(responses: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
    """Concatenate the logarithms of pooled responses: layer → (tile, channel) gives (tile, feature)."""
    stacked = np.concatenate([np.asarray(values, np.float64) for values in responses.values()], axis=1)
    features: NDArray[np.float64] = np.log(np.maximum(stacked, 0) + _FLOOR)
    return features
