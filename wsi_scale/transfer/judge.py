"""Scores of outputs, and the difference between two networks with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Bins of the calibration error.
CALIBRATION_BINS = 10
#: Resamplings of an interval.
RESAMPLINGS = 2000
#: Seed of the resamplings.
SEED = 0


@dataclass(frozen=True)
class TaskScores:
    """Figures of one network on test images.

    Attributes
    ----------
    metric
        Area under the ROC curve (of more than two classes: each against the rest, classes weighing the same), or the
        median error in octaves.
    balanced_accuracy, calibration_error
        Mean recall of the classes; mean distance of confidence and accuracy over ten bins (Guo et al. 2017, §2).
        None for log2 mpp.
    """

    metric: float
    balanced_accuracy: float | None = None
    calibration_error: float | None = None


def metric_name(classes: Sequence[str]) -> str:
    """Name of :attr:`TaskScores.metric`."""
    return "auc" if classes else "median_octaves"


def judge_outputs(outputs: NDArray[np.floating], target: NDArray[np.generic], classes: Sequence[str]) -> TaskScores:
    """Score outputs (n, output) against the target (n,)."""
    if not classes:
        return TaskScores(_median_error(outputs, target))
    from sklearn.metrics import balanced_accuracy_score

    probability = _softmax(outputs)
    said = probability.argmax(axis=1)
    confidence = probability.max(axis=1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [
        (bins == b).mean() * abs(confidence[bins == b].mean() - (said == target)[bins == b].mean())
        for b in np.unique(bins)
    ]
    return TaskScores(_auc(_levels(outputs), target), float(balanced_accuracy_score(target, said)), float(np.sum(gaps)))


def paired_difference(
    ours: Sequence[NDArray[np.floating]],
    theirs: Sequence[NDArray[np.floating]],
    target: NDArray[np.generic],
    groups: NDArray[np.str_],
    classes: Sequence[str],
    resamplings: int = RESAMPLINGS,
) -> tuple[float, float, float]:
    """Difference between our scores and theirs, with a 95 % interval; positive where ours are better.

    Parameters
    ----------
    ours, theirs
        One (n, output) a seed, both in the same order of seeds and of test images.
    groups
        (n,) patients or cases: these are resampled, not images; and seeds along with them.
    """
    rng = np.random.default_rng(SEED)
    names, place = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(place == index) for index in range(len(names))]
    everything = np.arange(len(target))
    better = 1 if classes else -1
    our, their = ([_levels(outputs) if classes else outputs for outputs in of_seeds] for of_seeds in (ours, theirs))

    def difference(rows: NDArray[np.int64], seeds: Sequence[int]) -> float:
        parts = [
            _metric(our[s][rows], target[rows], classes) - _metric(their[s][rows], target[rows], classes) for s in seeds
        ]
        return better * float(np.mean(parts))

    drawn = []
    for _ in range(resamplings):
        rows = np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))])
        if not classes or len(np.unique(target[rows])) == len(classes):
            drawn.append(difference(rows, rng.integers(len(ours), size=len(ours)).tolist()))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return difference(everything, range(len(ours))), float(low), float(high)


def _metric(outputs: NDArray[np.number], target: NDArray[np.generic], classes: Sequence[str]) -> float:
    return _auc(outputs, target) if classes else _median_error(outputs, target)


def _median_error(outputs: NDArray[np.number], target: NDArray[np.generic]) -> float:
    return float(np.median(np.abs(outputs[:, 0] - target.astype(np.float64))))


def _levels(outputs: NDArray[np.floating]) -> NDArray[np.int64]:
    """Order of images by their probability of each class (of two: the second), (n, class); equal ones share a place."""
    probability = _softmax(outputs)
    judged = probability[:, 1:] if probability.shape[1] == 2 else probability
    return np.column_stack([np.unique(column, return_inverse=True)[1] for column in judged.T]).astype(np.int64)


def _auc(levels: NDArray[np.number], target: NDArray[np.generic]) -> float:
    """Mean over classes of the share of pairs that are in the right order, ties by half (Mann & Whitney)."""
    found = []
    for column, index in zip(levels.T, [1] if levels.shape[1] == 1 else range(levels.shape[1]), strict=True):
        positive, most = target == index, int(column.max()) + 1
        ours, others = (np.bincount(column[which], minlength=most) for which in (positive, ~positive))
        found.append(float(ours @ (np.cumsum(others) - others / 2)) / (ours.sum() * others.sum()))
    return float(np.mean(found))


def _softmax(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    shifted = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
    probability: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return probability
