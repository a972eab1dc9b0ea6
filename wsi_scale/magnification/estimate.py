"""From features of a slide's views to µm per pixel with an interval, or the reason why there is no estimate."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.head import TilePredictions
from wsi_scale.magnification.mixed import why_mixed
from wsi_scale.magnification.pooling import LEAST_TISSUE, Pooled, pool_views, why_abstain, why_uncertain
from wsi_scale.magnification.regressor import Regressor

#: Coverage of the interval that decides whether an estimate is to be given, whatever interval is asked for.
JUDGED_COVERAGE = 0.9


@dataclass(frozen=True)
class Views:
    """Views of a slide at one downsample.

    Attributes
    ----------
    downsample
        Of level 0.
    features
        (view, feature).
    centres
        (view, 2): x, y in level-0 pixels.
    absorbed
        (view, 4) as :func:`wsi_scale.magnification.stain.absorbed_light` sums it.
    """

    downsample: int
    features: NDArray[np.float64]
    centres: NDArray[np.float64]
    absorbed: NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """The estimate for level 0 from a slide's views.

    Attributes
    ----------
    pooled
        The views put together.
    half_width_octaves
        Half width of the interval of log2 mpp.
    reason
        Why the estimate is not given; "" if it is.
    mixed
        How parts of the slide disagree; "" if they do not.
    """

    pooled: Pooled
    half_width_octaves: float
    reason: str
    mixed: str


def estimate_views(regressor: Regressor, views: Iterable[Views], coverage: float, group: str | None = None) -> Estimate:
    """Estimate level 0 from views of one slide or image.

    Parameters
    ----------
    coverage
        Share of slides whose true mpp the interval should contain.
    group
        The estimate comes from the model that never saw this group; None for slides of no cohort.
    """
    parts = list(views)
    predictions = TilePredictions.joined([regressor.predict_tiles(part.features, group) for part in parts])
    downsamples = np.repeat([part.downsample for part in parts], [len(part.features) for part in parts])
    centres = np.concatenate([np.zeros((0, 2)), *(part.centres for part in parts)])
    absorbed = np.concatenate([np.zeros((0, 4)), *(part.absorbed for part in parts)])
    pooled = pool_views(predictions, downsamples)
    half, judged = (
        regressor.half_width(pooled.difficulty_octaves, share, group) for share in (coverage, JUDGED_COVERAGE)
    )
    level0 = [part.features for part in parts if part.downsample == 1]
    beyond = regressor.why_out_of_range(np.concatenate(level0)) if level0 else ""
    other = regressor.why_other_stain(predictions.tissue @ absorbed)
    reason = why_abstain(pooled) or other or why_uncertain(pooled, judged) or beyond
    mixed = why_mixed(predictions, downsamples, centres) if pooled.tissue >= LEAST_TISSUE else ""
    return Estimate(pooled, half, reason, mixed)
