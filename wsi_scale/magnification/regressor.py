"""A linear regressor of log2 mpp with one model for all and one for each fold of groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Strengths of the ridge penalty that inner cross-validation chooses from.
PENALTIES = tuple(10.0**k for k in range(-1, 7))
#: Folds of groups, and of the inner choice of the penalty.
FOLDS = 5


@dataclass(frozen=True)
class Regressor:
    """Ridge on standardised log features.

    Attributes
    ----------
    mean, scale
        (feature,) standardisation.
    weights
        (model, feature): 0 is fitted on everything, k ≥ 1 without fold k.
    intercepts
        (model,).
    fold_of
        Group → k, the model that never saw the group.
    half_width_octaves
        Half width of the interval for a slide.
    half_width_of
        Group → half width calibrated without the group's own fold, for slides that were fitted on: a wrong
        header must not widen the interval that it is judged by.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    fold_of: Mapping[str, int]
    half_width_octaves: float
    half_width_of: Mapping[str, float] = field(default_factory=dict)

    def half_width(self, group: str | None = None) -> float:
        """Half width (octaves) of the interval for a slide of ``group``."""
        return self.half_width_octaves if group is None else self.half_width_of.get(group, self.half_width_octaves)

    def predict(self, features: NDArray[np.float64], group: str | None = None) -> NDArray[np.float64]:
        """log2 mpp of tiles, by the model that never saw ``group``; (tile, feature) → (tile,)."""
        model = self.fold_of.get(group, 0) if group is not None else 0
        standard = (features - self.mean) / self.scale
        values: NDArray[np.float64] = standard @ self.weights[model] + self.intercepts[model]
        return values


def fit_regressor(
    features: NDArray[np.float64],
    log2_mpp: NDArray[np.floating],
    groups: Sequence[str],
    *,
    folds: int = FOLDS,
    half_width_octaves: float = float("nan"),
    prior: Regressor | None = None,
) -> Regressor:
    """Fit one model on all tiles, and one for each fold of groups on the others.

    With a prior, the ridge shrinks towards the prior's weights instead of towards zero (ridge on what the
    prior leaves over, in the prior's standardisation). A small cohort bends a good regressor only as far as
    groups that were not fitted on confirm it: the strongest penalty, up to no bend at all, whose error lies
    within one standard error of the best (Breiman et al. 1984, §3.4.3).

    Parameters
    ----------
    features
        (tile, feature).
    groups
        (tile,) what a split keeps together: case or slide.
    prior
        A regressor on the same features that never saw these groups.
    """
    from sklearn.model_selection import GroupKFold

    mean, scale = (prior.mean, prior.scale) if prior else _standardisation(features)
    standard = (features - mean) / scale
    target = np.asarray(log2_mpp, np.float64) - (prior.predict(features) if prior else 0.0)
    labels = np.asarray(groups)
    fit_one = _bend if prior else _ridge
    models = [fit_one(standard, target, labels)]
    fold_of: dict[str, int] = {}
    splits = GroupKFold(min(folds, len(set(groups)))).split(standard, target, labels) if folds > 1 else []
    for number, (inside, outside) in enumerate(splits, start=1):
        models.append(fit_one(standard[inside], target[inside], labels[inside]))
        fold_of |= {str(group): number for group in np.unique(labels[outside])}
    weights, intercepts = (np.stack(parts) for parts in zip(*models, strict=True))
    if prior:
        weights, intercepts = weights + prior.weights[0], intercepts + prior.intercepts[0]
    return Regressor(mean, scale, weights, intercepts, fold_of, half_width_octaves)


def _standardisation(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    spread = features.std(axis=0)
    return features.mean(axis=0), np.where(spread > 1e-6, spread, 1.0)


def _ridge(
    features: NDArray[np.float64], target: NDArray[np.float64], groups: NDArray[np.str_]
) -> tuple[NDArray[np.float64], float]:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold

    inner = GroupKFold(min(FOLDS, len(set(groups))))
    search = GridSearchCV(Ridge(), {"alpha": PENALTIES}, cv=inner, scoring="neg_mean_absolute_error")
    search.fit(features, target, groups=groups)
    best = search.best_estimator_
    return best.coef_, float(best.intercept_)


def _bend(
    features: NDArray[np.float64], target: NDArray[np.float64], groups: NDArray[np.str_]
) -> tuple[NDArray[np.float64], float]:
    """Fit what a prior leaves over (the target), no further than the one-standard-error rule allows."""
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
