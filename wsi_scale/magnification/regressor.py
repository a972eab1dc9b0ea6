"""A regressor of log2 mpp: a head trained with its network, and a correction fitted on a cohort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.head import Head, TilePredictions
from wsi_scale.magnification.intervals import conformal_quantile
from wsi_scale.magnification.out_of_range import OutOfRange, why_out_of_range
from wsi_scale.magnification.stain import why_other_stain

#: Strengths of the ridge penalty that inner cross-validation chooses from.
PENALTIES = tuple(10.0**k for k in range(-1, 7))
#: Folds of groups, and of the inner choice of the penalty.
FOLDS = 5


@dataclass(frozen=True)
class Regressor:
    """A head, and a linear correction of its mean that is fitted on a cohort.

    Attributes
    ----------
    head
        Log features → distribution over log2 mpp.
    bends
        (model, feature) weights of the correction on the head's standardised features: 0 is fitted on everything,
        k ≥ 1 without fold k. All zero where no cohort was fitted.
    offsets
        (model,) intercepts of the correction, octaves.
    scores
        (n,) absolute errors over difficulties (:class:`~wsi_scale.magnification.pooling.Pooled`) of slides that
        the answering model never saw; empty where the interval is not calibrated yet.
    score_folds
        (n,) fold of each score's slide; 0 where it belongs to none.
    fold_of
        Group → k, the model that never saw the group.
    out_of_range
        Detects overviews and enlargements; None if it was not fitted for the head's network.
    he_alone
        Whether its interval holds for haematoxylin and eosin alone, so that it abstains on other stains. One that was
        fitted on a cohort answers whatever stain the cohort has.
    """

    head: Head
    bends: NDArray[np.float64]
    offsets: NDArray[np.float64]
    scores: NDArray[np.float64]
    score_folds: NDArray[np.int64]
    fold_of: Mapping[str, int] = field(default_factory=dict)
    out_of_range: OutOfRange | None = None
    he_alone: bool = False

    @classmethod
    def of_head(cls, head: Head) -> "Regressor":
        """Make a regressor of a head alone, without an interval."""
        none = np.zeros(0)
        return cls(head, np.zeros((1, len(head.mean))), np.zeros(1), none, none.astype(np.int64))

    def predict_tiles(self, features: NDArray[np.float64], group: str | None = None) -> TilePredictions:
        """Predict log2 mpp of tiles, (tile, feature), by the model that never saw ``group``."""
        model = self.fold_of.get(group, 0) if group is not None else 0
        seen = self.head.predict_tiles(features)
        correction = self.head.standard(features) @ self.bends[model] + self.offsets[model]
        return replace(seen, log2_mpp=seen.log2_mpp + correction)

    def why_out_of_range(self, features: NDArray[np.float64]) -> str:
        """Why level-0 views, (view, feature), are out of range; "" if they are not, or no detector was fitted."""
        if self.out_of_range is None:
            return ""
        tissue = self.head.predict_tiles(features).tissue
        return why_out_of_range(self.out_of_range.log_odds(self.head.standard(features), tissue))

    def why_other_stain(self, light: NDArray[np.float64]) -> str:
        """Why a slide that absorbs ``light`` (red, green, blue, in brown pixels) has no stain it answers for, or ""."""
        return why_other_stain(light) if self.he_alone else ""

    def half_width(self, difficulty_octaves: float, coverage: float, group: str | None = None) -> float:
        """Half width (octaves) of an interval that contains the truth for a share ``coverage`` of slides.

        For a slide that was fitted on, the scores of its own fold are not used: a wrong header must not widen
        the interval that it is judged by.
        """
        own = self.fold_of.get(group, -1) if group is not None else -1
        others = self.scores[self.score_folds != own]
        return difficulty_octaves * conformal_quantile(others, coverage)


def fit_cohort(
    prior: Regressor, features: NDArray[np.float64], log2_mpp: NDArray[np.floating], groups: Sequence[str]
) -> Regressor:
    """Correct a prior on a cohort's tiles: one model on all, and one for each fold of groups on the others.

    The ridge shrinks towards the prior. A small cohort corrects a good regressor only as far as groups that were
    not fitted on confirm it: the strongest penalty, up to no correction at all, whose error lies within one standard
    error of the best (Breiman et al. 1984, §3.4.3).

    Parameters
    ----------
    prior
        A regressor that never saw these groups.
    features
        (tile, feature).
    groups
        (tile,) what a split keeps together: case or slide.
    """
    from sklearn.model_selection import GroupKFold

    standard = prior.head.standard(features)
    left_over = np.asarray(log2_mpp, np.float64) - prior.predict_tiles(features).log2_mpp
    labels = np.asarray(groups)
    models = [_correction(standard, left_over, labels)]
    fold_of: dict[str, int] = {}
    splits = GroupKFold(min(FOLDS, len(set(groups)))).split(standard, left_over, labels)
    for number, (inside, outside) in enumerate(splits, start=1):
        models.append(_correction(standard[inside], left_over[inside], labels[inside]))
        fold_of |= {str(group): number for group in np.unique(labels[outside])}
    bends, offsets = (np.stack(parts) for parts in zip(*models, strict=True))
    none = np.zeros(0)
    return Regressor(
        prior.head,
        prior.bends[0] + bends,
        prior.offsets[0] + offsets,
        none,
        none.astype(np.int64),
        fold_of,
        prior.out_of_range,
    )


def _correction(
    features: NDArray[np.float64], target: NDArray[np.float64], groups: NDArray[np.str_]
) -> tuple[NDArray[np.float64], float]:
    """Fit the residual of a prior (the target), no further than the one-standard-error rule allows."""
    from sklearn.linear_model import Ridge

    penalties = (np.inf, *sorted(PENALTIES, reverse=True))
    errors = np.stack([_group_errors(features, target, groups, penalty) for penalty in penalties])
    means = errors.mean(axis=1)
    best = int(means.argmin())
    allowance = errors[best].std(ddof=1) / np.sqrt(errors.shape[1]) if errors.shape[1] > 1 else 0.0
    chosen = penalties[int(np.argmax(means <= means[best] + allowance))]
    if np.isinf(chosen):
        return np.zeros(features.shape[1]), 0.0
    fitted = Ridge(chosen).fit(features, target)
    return fitted.coef_, float(fitted.intercept_)


def _group_errors(
    features: NDArray[np.float64], target: NDArray[np.float64], groups: NDArray[np.str_], penalty: float
) -> NDArray[np.float64]:
    """Mean absolute error of each group, by a fit on the other folds of groups."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold

    error = np.abs(target)
    if np.isfinite(penalty):
        for inside, outside in GroupKFold(min(FOLDS, len(np.unique(groups)))).split(features, target, groups):
            said = Ridge(penalty).fit(features[inside], target[inside]).predict(features[outside])
            error[outside] = np.abs(target[outside] - said)
    return np.array([error[groups == group].mean() for group in np.unique(groups)])
