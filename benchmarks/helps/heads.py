"""Linear heads on pooled responses, their penalty chosen inside the training part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Responses
from benchmarks.helps.images import Floats, layer_means, log_features

if TYPE_CHECKING:
    from sklearn.model_selection import GridSearchCV

#: Inverse penalties of logistic regression, penalties of ridge regression, and the folds of groups that choose.
INVERSE_PENALTIES = tuple(10.0**k for k in (-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0))
PENALTIES = tuple(10.0**k for k in range(6))
FOLDS, SEED = 5, 0


@dataclass(frozen=True)
class LinearHead:
    """Logistic or ridge regression on standardised logarithms of pooled responses.

    Attributes
    ----------
    means
        Layer → mean response over the training images.
    search
        What was fitted, with the score of the chosen penalty.
    """

    means: dict[str, float]
    search: "GridSearchCV"

    @classmethod
    def fit(
        cls, shown: list[Responses], target: NDArray[Any], groups: NDArray[Any], *, regression: bool = False
    ) -> "LinearHead":
        """Fit on images, shown once or at several scales; a group stays in one fold with all its scales.

        Parameters
        ----------
        shown
            One a scale.
        target, groups
            (image,).
        """
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.model_selection import GridSearchCV, GroupKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        means = layer_means(shown[0])
        features = np.concatenate([log_features(responses, means) for responses in shown])
        targets, places = np.tile(target, len(shown)), np.tile(groups, len(shown))
        folds = list(GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(features, targets, places))
        pipeline = make_pipeline(StandardScaler(), Ridge() if regression else LogisticRegression(max_iter=500))
        grid = {"ridge__alpha": PENALTIES} if regression else {"logisticregression__C": INVERSE_PENALTIES}
        scoring = "neg_mean_absolute_error" if regression else "neg_log_loss"
        return cls(means, GridSearchCV(pipeline, grid, scoring=scoring, cv=folds).fit(features, targets))

    @property
    def score(self) -> float:
        """Score inside the training part; higher is better."""
        return float(self.search.best_score_)

    def answer(self, responses: Responses) -> Floats:
        """(image,) log odds, or the value that was fitted."""
        features = log_features(responses, self.means)
        regression = not hasattr(self.search.best_estimator_, "decision_function")
        answer: Floats = self.search.predict(features) if regression else self.search.decision_function(features)
        return answer
