"""Detection of images out of the estimator's range from level 0: overviews, and enlarged images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Share of ordinary images of held-out cases that may be called out of range. Many of them get no estimate for
#: other reasons, so that fewer are lost (docs/adr/0007-what-lies-beyond.md).
FALSE_ALARMS = 0.02
#: Strengths of the penalty (inverse) that cross-validation chooses from, and its folds of cases.
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
FOLDS = 5


@dataclass(frozen=True)
class OutOfRange:
    """A plane in the features of level-0 views that separates ordinary tissue from overviews and enlargements.

    The head was trained on tissue up to 10 µm/px, enlarged at most twice; for other images it gives the mpp of the most
    similar training images. The features still separate a sharp field of nuclei from an overview that resembles one,
    but not along the directions that the head uses. A logistic regression finds the plane (Hastie et al. 2009, §4.4);
    its bias is set so that a share :data:`FALSE_ALARMS` of ordinary images counts as out of range.

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
        """Log odds, relative to the threshold of accepted false alarms, that an image is out of range.

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


def why_out_of_range(log_odds: float) -> str:
    """Why level 0 of an image excludes an estimate, in one line; "" if it does not."""
    return (
        "level 0 is probably an overview or an enlargement, whose µm per pixel cannot be estimated"
        if log_odds > 0
        else ""
    )


def fit_out_of_range(
    standard: NDArray[np.float64], outside_range: NDArray[np.bool_], images: NDArray[np.int64], cases: NDArray[np.str_]
) -> OutOfRange:
    """Fit the plane; the penalty and the bias are chosen on cases that it was not fitted on.

    The penalty is the one that detects most images out of range on held-out folds at the allowed share of false
    alarms; the bias is set so that this share of ordinary images, each judged by the fold that never saw its case,
    counts as out of range.

    Parameters
    ----------
    standard
        (view, feature) standardised features of level-0 views.
    outside_range, images, cases
        (view,) whether its image is out of range, the image's number and its case.
    """
    told = {penalty: _unseen_log_odds(standard, outside_range, images, cases, penalty) for penalty in PENALTIES}
    labels = np.array([outside_range[images == image][0] for image in np.unique(images)])
    limits = {penalty: float(np.quantile(odds[~labels], 1 - FALSE_ALARMS)) for penalty, odds in told.items()}
    best = max(PENALTIES, key=lambda penalty: float(np.mean(told[penalty][labels] > limits[penalty])))
    weights, bias = _plane(standard, outside_range, best)
    return OutOfRange(weights, bias - limits[best])


def _unseen_log_odds(
    standard: NDArray[np.float64],
    outside_range: NDArray[np.bool_],
    images: NDArray[np.int64],
    cases: NDArray[np.str_],
    penalty: float,
) -> NDArray[np.float64]:
    """Log odds of each image, in the order of their numbers, by a plane that was fitted on other cases."""
    from sklearn.model_selection import GroupKFold

    views = np.empty(len(standard))
    for inside, outside in GroupKFold(FOLDS).split(standard, outside_range, cases):
        weights, bias = _plane(standard[inside], outside_range[inside], penalty)
        views[outside] = standard[outside] @ weights + bias
    return np.array([views[images == image].mean() for image in np.unique(images)])


def _plane(
    standard: NDArray[np.float64], outside_range: NDArray[np.bool_], penalty: float
) -> tuple[NDArray[np.float64], float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000).fit(standard, outside_range)
    return fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0])
