"""How well pooled responses of a layer predict a scale: linear probes, tested on held-out groups, and controls.

A probe is what Graziani et al. (2021) call a regression concept vector (2018): a linear map from a layer's
spatial means to a measure. They fit it by least squares; with fewer samples than a few times the layer's width that
measures the width, so a ridge, and layers projected to one common width, stand beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

ProbeMethod = Literal["ridge", "projected", "least_squares"]
Floats = NDArray[np.float64]

#: Share of the groups that a probe is tested on.
TEST_SHARE = 0.3
#: Components that every layer is projected to, where a caller names no other number.
COMPONENTS = 32
#: Penalties of the ridge, in multiples of the number of features, so that one range serves narrow and wide layers.
RELATIVE_PENALTIES = 10.0 ** np.arange(-3, 4.1, 0.5)
#: Folds of groups that choose the penalty.
INNER_FOLDS = 4
#: Training samples a feature that least squares needs to be sound.
SAMPLES_PER_FEATURE = 5


@dataclass(frozen=True)
class ProbeKind:
    """How a probe is fitted.

    Attributes
    ----------
    method
        ``ridge``: standardised, the penalty chosen by inner cross-validation over groups. ``projected``:
        standardised, principal components of the training part, least squares. ``least_squares``: NaN with fewer
        than 5 training samples a feature.
    components
        Components of ``projected``.
    """

    method: ProbeMethod = "ridge"
    components: int = COMPONENTS


@dataclass(frozen=True)
class RepeatedSplits:
    """How often samples are split by group, and the seed: the same seed gives every layer the same splits."""

    repetitions: int = 10
    seed: int = 0


#: What is probed with where nothing else is asked for.
RIDGE, SPLITS = ProbeKind(), RepeatedSplits()


class Probe(Protocol):
    """A fitted probe."""

    def predict(self, features: Floats) -> Floats:
        """(sample, feature) → (sample,) in the target's unit."""


@dataclass(frozen=True)
class ProbeScores:
    """R² on held-out samples.

    Attributes
    ----------
    r2
        (repetition,); NaN where the method is not sound for that many features.
    """

    r2: Floats

    @property
    def mean(self) -> float:
        """Mean over the repetitions."""
        return float(self.r2.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over the repetitions (n − 1)."""
        return float(self.r2.std(ddof=1)) if len(self.r2) > 1 else 0.0

    @property
    def published_mean(self) -> float:
        """The mean as Graziani et al. computed it (:func:`mean_as_published`)."""
        return mean_as_published(self.r2)


def probe(
    features: Floats,
    target: Floats,
    groups: Sequence[str],
    *,
    splits: RepeatedSplits = SPLITS,
    kind: ProbeKind = RIDGE,
    test_features: Floats | None = None,
) -> ProbeScores:
    """Fit probes on 70 % of the groups and test them on the others.

    Parameters
    ----------
    features
        (sample, feature).
    target
        (sample,) the measure to predict from the features.
    groups
        (sample,) what a split keeps together: image, case.
    test_features
        (sample, feature) the same samples seen under another condition, which the probe is tested on in place of
        ``features``: what is learnt under the one must hold under the other.

    Raises
    ------
    ValueError
        An unknown method, arrays of different lengths, or fewer than two groups.
    """
    seen = features if test_features is None else test_features
    lengths = {len(features), len(seen), len(target), len(groups)}
    if len(lengths) > 1:
        raise ValueError(f"features, target and groups differ in length: {sorted(lengths)}")
    r2 = []
    for inside, outside in split_groups(groups, splits):
        if kind.method == "least_squares" and len(inside) < SAMPLES_PER_FEATURE * features.shape[1]:
            r2.append(float("nan"))
            continue
        mine = _of(groups, inside)
        fitted = fit_probe(features[inside], target[inside], mine, kind)
        r2.append(_score(target[outside], fitted.predict(seen[outside])))
    return ProbeScores(np.array(r2))


def probe_shuffled(
    features: Floats, target: Floats, groups: Sequence[str], splits: RepeatedSplits = SPLITS
) -> ProbeScores:
    """Control: R² of a ridge on targets of other groups, shuffled again for each repetition."""
    r2 = []
    for number, (inside, outside) in enumerate(split_groups(groups, splits)):
        shuffled = shuffle_groups(target, groups, (splits.seed, number))
        fitted = fit_probe(features[inside], shuffled[inside], _of(groups, inside))
        r2.append(_score(shuffled[outside], fitted.predict(features[outside])))
    return ProbeScores(np.array(r2))


def probe_labels(
    labels: NDArray[np.str_], target: Floats, groups: Sequence[str], splits: RepeatedSplits = SPLITS
) -> ProbeScores:
    """Control: R² of labels alone: the target's mean for each label, shrunken as far as other groups suggest.

    Parameters
    ----------
    labels
        (sample, label): class, source and the like, as strings; one the probe has not met counts as the mean.
    """
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import OneHotEncoder

    columns = OneHotEncoder(sparse_output=False).fit_transform(labels)
    r2 = []
    for inside, outside in split_groups(groups, splits):
        # Not standardised: a rare label would be shrunken least.
        penalty = _penalty(columns[inside], target[inside], _of(groups, inside))
        fitted = Ridge(penalty).fit(columns[inside], target[inside])
        r2.append(_score(target[outside], fitted.predict(columns[outside])))
    return ProbeScores(np.array(r2))


def fit_probe(
    features: Floats,
    target: Floats,
    groups: Sequence[str],
    kind: ProbeKind = RIDGE,
) -> Probe:
    """Fit one probe on everything; parameters as for :func:`probe`.

    It is linear within the range of each feature that it was fitted on; what lies beyond counts as the range's end.

    Raises
    ------
    ValueError
        An unknown method.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    # A channel that is silent on what is fitted and answers later would be a thousand deviations off.
    within = MinMaxScaler(clip=True)
    if kind.method == "ridge":
        standard = StandardScaler().fit_transform(features)
        steps = [within, StandardScaler(), Ridge(_penalty(standard, target, groups))]
    elif kind.method == "projected":
        steps = [
            within,
            StandardScaler(),
            PCA(min(kind.components, *features.shape), svd_solver="full"),
            LinearRegression(),
        ]
    elif kind.method == "least_squares":
        steps = [within, LinearRegression()]
    else:
        raise ValueError(f"method={kind.method!r}: not one of ridge, projected, least_squares")
    fitted: Probe = make_pipeline(*steps).fit(features, target)
    return fitted


def split_groups(
    groups: Sequence[str], splits: RepeatedSplits
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the training and test samples of each repetition; no group is on both sides."""
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(splits.repetitions, test_size=TEST_SHARE, random_state=splits.seed)
    yield from splitter.split(np.zeros(len(groups)), groups=np.asarray(groups))


def shuffle_groups(target: Floats, groups: Sequence[str], seed: int | tuple[int, ...]) -> Floats:
    """Give the targets of each group, in one piece, to another group.

    A target that is the same all over a group stays so where groups are of one size; where they are not, pieces of
    neighbours meet in a group.
    """
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    ranks = np.random.default_rng(seed).permutation(len(names))
    shuffled = np.empty_like(target)
    shuffled[np.argsort(numbers, kind="stable")] = target[np.argsort(ranks[numbers], kind="stable")]
    return shuffled


def figure_of_merit(r2: Floats) -> Floats:
    """Bring R² in (−∞, 1] to (0, 1] as exp(R²)/e (Graziani et al.); no information is 1/e ≈ 0.368."""
    merit: Floats = np.exp(np.asarray(r2, np.float64)) / np.e
    return merit


def mean_as_published(r2: Floats) -> float:
    """Mean over repetitions as Graziani et al. computed it: ln(mean(exp(R²)/e)) + 1.

    A logarithm of a mean of exponentials is never below the mean (Jensen), and far above it where some repetitions
    fail: compare means of one kind only (docs/science.md).
    """
    return float(np.log(figure_of_merit(r2).mean()) + 1)


def _of(groups: Sequence[str], samples: NDArray[np.int64]) -> list[str]:
    return [groups[index] for index in samples]


def _penalty(features: Floats, target: Floats, groups: Sequence[str]) -> float:
    """Choose the penalty whose error on inner folds of groups is least."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold

    penalties = RELATIVE_PENALTIES * features.shape[1]
    # One target a penalty, all the same: one decomposition of the features then serves every penalty.
    targets = np.repeat(target[:, None], len(penalties), axis=1)
    errors = np.zeros(len(penalties))
    folds = GroupKFold(min(INNER_FOLDS, len(set(groups))))
    for inside, outside in folds.split(features, target, np.asarray(groups)):
        fitted = Ridge(penalties, solver="svd").fit(features[inside], targets[inside])
        errors += np.square(fitted.predict(features[outside]) - targets[outside]).sum(axis=0)
    return float(penalties[errors.argmin()])


def _score(target: Floats, predicted: Floats) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(target, predicted))
