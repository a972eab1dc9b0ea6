"""Images beyond the estimator's range, detected from level 0: overviews, and images that were enlarged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Share of ordinary images, of cases that were not fitted on, that may be taken for one beyond. Many of those get no
#: answer anyway, so that fewer are lost (docs/adr/0007-what-lies-beyond.md).
FALSE_ALARMS = 0.02
#: Strengths of the penalty (inverse) that cross-validation chooses from, and its folds of cases.
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
FOLDS = 5


@dataclass(frozen=True)
class Beyond:
    """A plane through the features of level-0 views: ordinary tissue on one side, overviews and enlargements beyond.

    The head learnt from tissue up to 10 µm/px and enlarged at most twice; asked about anything else it answers with
    what that resembles most. A sharp field of nuclei and an overview that resembles one differ all the same, if not
    along the directions that the head reads. A logistic regression finds that plane (Hastie et al. 2009, §4.4); its
    bias is set so that :data:`FALSE_ALARMS` of ordinary images lie beyond it.

    Attributes
    ----------
    weights
        (feature,) on the head's standardised features.
    bias
        Log odds of an image whose features are the average.
    """

    weights: NDArray[np.float64]
    bias: float

    def log_odds(self, standard: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
        """Log odds (above those at which the ordinary images allowed to be lost begin) that an image lies beyond.

        Parameters
        ----------
        standard
            (view, feature) standardised features of its views of level 0.
        shares
            (view,) weight of each view: how sure it is to show tissue.
        """
        if not len(standard):
            return float("-inf")
        views = standard @ self.weights + self.bias
        return float(np.average(views, weights=shares + 1e-9))


def why_beyond(log_odds: float) -> str:
    """Why an image gets no estimate because of its level 0, in one line; "" where it may get one."""
    return (
        "level 0 looks like an overview or an enlargement, whose µm per pixel cannot be estimated"
        if log_odds > 0
        else ""
    )


def fit_beyond(
    standard: NDArray[np.float64], beyond: NDArray[np.bool_], images: NDArray[np.int64], cases: NDArray[np.str_]
) -> Beyond:
    """Fit the plane; the penalty and the bias are chosen on cases that it was not fitted on.

    The penalty is the one whose folds tell most images beyond from ordinary ones at the share of false alarms
    allowed; the bias moves the plane to where that share of ordinary images, each judged by the fold that never saw
    its case, lies beyond.

    Parameters
    ----------
    standard
        (view, feature) standardised features of level-0 views.
    beyond, images, cases
        (view,) whether its image lies beyond, the image's number and its case.
    """
    told = {penalty: _unseen_log_odds(standard, beyond, images, cases, penalty) for penalty in PENALTIES}
    labels = np.array([beyond[images == image][0] for image in np.unique(images)])
    limits = {penalty: float(np.quantile(odds[~labels], 1 - FALSE_ALARMS)) for penalty, odds in told.items()}
    best = max(PENALTIES, key=lambda penalty: float(np.mean(told[penalty][labels] > limits[penalty])))
    weights, bias = _plane(standard, beyond, best)
    return Beyond(weights, bias - limits[best])


def _unseen_log_odds(
    standard: NDArray[np.float64],
    beyond: NDArray[np.bool_],
    images: NDArray[np.int64],
    cases: NDArray[np.str_],
    penalty: float,
) -> NDArray[np.float64]:
    """Log odds of each image, in the order of their numbers, by a plane that was fitted on other cases."""
    from sklearn.model_selection import GroupKFold

    views = np.empty(len(standard))
    for inside, outside in GroupKFold(FOLDS).split(standard, beyond, cases):
        weights, bias = _plane(standard[inside], beyond[inside], penalty)
        views[outside] = standard[outside] @ weights + bias
    return np.array([views[images == image].mean() for image in np.unique(images)])


def _plane(
    standard: NDArray[np.float64], beyond: NDArray[np.bool_], penalty: float
) -> tuple[NDArray[np.float64], float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000).fit(standard, beyond)
    return fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0])
