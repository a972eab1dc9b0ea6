"""The features that a head reads: logarithms of pooled responses (docs/science.md)."""

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


def layer_features(
    responses: Mapping[str, NDArray[np.floating]],
    reference: Mapping[str, NDArray[np.floating]] | None = None,
    *,
    logarithms: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Make the features of each layer for a probe: layer → (sample, channel), relative to the layer's mean response.

    Logarithms of rectified responses predict the scale better than the responses (docs/science.md). The mean is divided
    out first, because the constant that keeps a logarithm finite must be equally small for a softmax and a
    convolution. A layer with negative values (logits) has no logarithms and stays as it is.

    Parameters
    ----------
    responses
        Layer → (sample, channel) spatial means.
    reference
        Responses that the mean is taken over; ``responses`` by default. Images that one probe is fitted on and
        tested on need one reference.
    logarithms
        Whether to take logarithms.
    """
    features = {}
    for name, values in responses.items():
        known = np.asarray(values if reference is None else reference[name], np.float64)
        relative = np.asarray(values, np.float64) / (np.abs(known).mean() or 1.0)
        features[name] = log_features({name: relative}) if logarithms and known.min() >= 0 else relative
    return features
