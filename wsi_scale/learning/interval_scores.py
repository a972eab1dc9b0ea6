"""What an interval of µm per pixel is calibrated on: answers for slides that the answering model never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.pooling import ANSWERED_MPP, pool_views
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.slides.views import DOWNSAMPLES

#: Fewer views than this make no answer that an interval could be calibrated on.
LEAST_VIEWS = 4


@dataclass(frozen=True)
class SlideTiles:
    """Training tiles of one slide.

    Attributes
    ----------
    slide_id, group, mpp
        Of the slide; µm per pixel of its level 0.
    features, log2_mpp
        (tile, feature), (tile,).
    """

    slide_id: str
    group: str
    mpp: float
    features: NDArray[np.float64]
    log2_mpp: NDArray[np.floating]


def out_of_fold_answers(regressor: Regressor, slide: SlideTiles) -> list[dict[str, Any]]:
    """Estimates of a slide's own mpp, and of twice, four times … as much, by the model that never saw its group.

    The slide stands for one that was scanned at the coarser mpp: only tiles that such a slide could show count,
    each as a view at its downsample.
    """
    predictions = regressor.predict_tiles(slide.features, slide.group)
    answers = []
    for level in range(len(DOWNSAMPLES)):
        base = np.log2(slide.mpp) + level
        seen = slide.log2_mpp >= base - 1e-9
        if seen.sum() < LEAST_VIEWS or base > np.log2(ANSWERED_MPP[1]):
            break
        pooled = pool_views(predictions[seen], 2 ** (slide.log2_mpp[seen] - base))
        answers.append(
            {
                "slide_id": slide.slide_id,
                "group": slide.group,
                "true_mpp": round(float(2**base), 4),
                "predicted_mpp": round(2**pooled.log2_mpp, 4),
                "difficulty_octaves": round(pooled.difficulty_octaves, 4),
                "tiles": pooled.views,
            }
        )
    return answers


def error_octaves(answer: dict[str, Any]) -> float:
    """Octaves by which an answer is too coarse."""
    return float(np.log2(answer["predicted_mpp"] / answer["true_mpp"]))


def interval_scores(answers: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    """Absolute errors over the difficulties of answers, (answer,): what a conformal interval is a quantile of."""
    return np.array([abs(error_octaves(answer)) / answer["difficulty_octaves"] for answer in answers])
