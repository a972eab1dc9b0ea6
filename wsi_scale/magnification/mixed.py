"""Whether parts of one slide seem to be scanned at different µm per pixel."""

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.head import TilePredictions
from wsi_scale.magnification.pooling import pool_views, why_abstain

#: Halves of a slide further apart than this (octaves) are called mixed: a factor of 2, less what noise takes.
MIXED_OCTAVES = 0.8
#: Views that a half needs, and the coarsest downsample whose views are local enough to belong to one.
LEAST_VIEWS, COARSEST_DOWNSAMPLE = 8, 2
_HALVES = (("left", "right"), ("top", "bottom"))


def why_mixed(predictions: TilePredictions, downsamples: NDArray[np.number], centres: NDArray[np.floating]) -> str:
    """How the halves of a slide disagree, in a few words; "" if they agree, or one has no estimate.

    Parameters
    ----------
    predictions, downsamples
        As for :func:`~wsi_scale.magnification.pooling.pool_views`.
    centres
        (view, 2): x, y of the views' centres in level-0 pixels.
    """
    local = downsamples <= COARSEST_DOWNSAMPLE
    worst, words = MIXED_OCTAVES, ""
    for axis, names in enumerate(_HALVES):
        first = centres[:, axis] < np.median(centres[local, axis]) if local.any() else local
        halves = [local & first, local & ~first]
        if min(int(half.sum()) for half in halves) < LEAST_VIEWS:
            continue
        pooled = [pool_views(predictions[half], downsamples[half]) for half in halves]
        if any(why_abstain(part) for part in pooled):
            continue
        said = [part.log2_mpp for part in pooled]
        if abs(said[0] - said[1]) > worst:
            worst = abs(said[0] - said[1])
            words = " and ".join(
                f"its {name} half is estimated at {2**value:.2g} µm/px" for name, value in zip(names, said, strict=True)
            )
    return words
