"""BreakHis (Spanhol et al. 2016): image names, folds of patients, and scores for its four magnifications.

Its pixel sizes in µm are unknown, but their ratios are right (docs/breakhis.md): every scale here is log2 of µm per
pixel relative to the 40x images, which are the coarsest.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsi_scale.errors import SlideError
from wsi_scale.magnification.regressor import FOLDS, PENALTIES

MAGNIFICATIONS = (40, 100, 200, 400)
#: Tumour types of each class: adenosis, fibroadenoma, phyllodes tumour, tubular adenoma; ductal, lobular, mucinous
#: and papillary carcinoma.
TYPES = {"B": ("A", "F", "PT", "TA"), "M": ("DC", "LC", "MC", "PC")}
#: Resamples of patients behind an interval, and the share of them that it spans.
RESAMPLES, COVERAGE = 1000, 0.95

_NAME = re.compile(
    r"(?P<procedure>CNB|SOB)_(?P<tumour_class>[BM])_(?P<tumour_type>[A-Z]+)-(?P<year>[0-9]{2})"
    r"-(?P<slide_number>[0-9]+)(?P<sections>[A-Za-z]*)-(?P<magnification>40|100|200|400)-(?P<sequence>[0-9]+)"
    r"(?i:\.(?:png|jpe?g))?"
)


@dataclass(frozen=True)
class BreakHisName:
    """Parts of the name of an image.

    Attributes
    ----------
    procedure
        SOB (excision) or CNB (core needle); only SOB is published.
    tumour_class, tumour_type
        B or M, and a type of that class (``TYPES``).
    year
        Two digits.
    slide_number, sections
        22549 and AB of 22549AB: one slide, and which of its sections.
    magnification
        40, 100, 200 or 400.
    sequence
        Number of the image.
    """

    procedure: str
    tumour_class: str
    tumour_type: str
    year: int
    slide_number: str
    sections: str
    magnification: int
    sequence: int

    @property
    def patient(self) -> str:
        """The slide's number alone: 14-13412 occurs both as DC and as LC, other slides have several sections."""
        return self.slide_number


def parse_name(name: str) -> BreakHisName:
    """Read the name of an image, with or without its suffix (grammar: the data set's README).

    Raises
    ------
    SlideError
        It is not such a name, or its type is not one of its class.

    >>> parse_name("SOB_B_A-14-22549AB-40-001.png").patient
    '22549'
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise SlideError(f"{name!r} is not a BreakHis name, such as SOB_B_A-14-22549AB-40-001.png")
    parts = found.groupdict()
    if parts["tumour_type"] not in TYPES[parts["tumour_class"]]:
        known = ", ".join(TYPES[parts["tumour_class"]])
        raise SlideError(f"{name!r} is not a BreakHis name: type {parts['tumour_type']} is not one of {known}")
    return BreakHisName(
        parts["procedure"], parts["tumour_class"], parts["tumour_type"], int(parts["year"]),
        parts["slide_number"], parts["sections"], int(parts["magnification"]), int(parts["sequence"]),
    )  # fmt: skip


def relative_log2_mpp(magnifications: ArrayLike) -> NDArray[np.float64]:
    """Octaves of µm per pixel from the 40x images on; finer is smaller.

    >>> relative_log2_mpp([40, 100, 400]).round(2).tolist()
    [0.0, -1.32, -3.32]
    """
    scales: NDArray[np.float64] = np.log2(MAGNIFICATIONS[0] / np.asarray(magnifications, np.float64))
    return scales


def nearest_magnification(relative: NDArray[np.floating]) -> NDArray[np.int64]:
    """Class of each answer: the magnification that is fewest octaves away, (image,)."""
    distance = np.abs(np.asarray(relative)[:, None] - relative_log2_mpp(MAGNIFICATIONS))
    nearest: NDArray[np.int64] = np.asarray(MAGNIFICATIONS)[distance.argmin(axis=1)]
    return nearest


def patient_folds(
    patients: Sequence[str], magnifications: NDArray[np.int64], folds: int, seed: int
) -> NDArray[np.int64]:
    """Distribute patients over folds, with every magnification spread as evenly as possible.

    Parameters
    ----------
    patients, magnifications
        (image,) of at least two patients.
    folds
        How many; fewer where there are fewer patients.

    Returns
    -------
    fold
        (image,) from 1 on, the same for all images of a patient; no fold is empty.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count = min(folds, len(set(patients)))
    # Fewer images of every magnification than folds cannot be stratified: then only sizes are evened out.
    strata = magnifications if np.bincount(magnifications).max() >= count else np.zeros_like(magnifications)
    placed = np.zeros(len(patients), np.int64)
    with warnings.catch_warnings():
        # A magnification of fewer images than folds is no fault: some folds are tested without it.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(strata, strata, patients)
        for number, (_, outside) in enumerate(splits):
            placed[outside] = number
    fold: NDArray[np.int64] = np.unique(placed, return_inverse=True)[1] + 1
    return fold


def untrained_folds(magnifications: NDArray[np.int64], folds: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Folds with a magnification that their training images lack: (fold, magnification)."""
    return [
        (int(fold), int(magnification))
        for magnification in np.unique(magnifications)
        for fold in np.unique(folds)
        if set(folds[magnifications == magnification]) == {fold}
    ]


def held_out_offset(
    log2_mpp: NDArray[np.floating], magnifications: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Make absolute estimates relative by subtracting one offset, fitted on the images of the other folds.

    The offset is the mean over magnifications of the median difference, so that none outvotes the others.

    Parameters
    ----------
    log2_mpp, magnifications, folds
        (image,).
    """
    relative = np.empty(len(log2_mpp))
    above = log2_mpp - relative_log2_mpp(magnifications)
    for fold in np.unique(folds):
        inside = folds != fold
        known = [np.median(above[inside & (magnifications == m)]) for m in np.unique(magnifications[inside])]
        relative[~inside] = log2_mpp[~inside] - np.mean(known)
    return relative


def held_out_ridge(
    features: NDArray[np.floating], patients: Sequence[str], magnifications: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Relative log2 mpp by a ridge on the images of the other folds, (image,).

    Parameters
    ----------
    features
        (image, feature) log features; the rest is (image,).
    """
    truth, labels = relative_log2_mpp(magnifications), np.asarray(patients)
    relative = np.empty(len(truth))
    for fold in np.unique(folds):
        inside = folds != fold
        relative[~inside] = _fit_predict(features[inside], truth[inside], labels[inside], features[~inside])
    return relative


def _fit_predict(
    features: NDArray[np.floating], truth: NDArray[np.float64], patients: NDArray[np.str_], asked: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Predict by a ridge; folds of its own patients choose the penalty, one patient alone gets the strongest."""
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count = min(FOLDS, len(np.unique(patients)))
    if count > 1:
        inner = list(GroupKFold(count).split(features, truth, patients))
        ridge = RidgeCV(PENALTIES, cv=inner, scoring="neg_mean_absolute_error")
    else:
        ridge = Ridge(PENALTIES[-1])
    answers: NDArray[np.float64] = make_pipeline(StandardScaler(), ridge).fit(features, truth).predict(asked)
    return answers


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval, from resampled patients."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BreakHisScores:
    """Scores of relative scales.

    Attributes
    ----------
    chance
        Accuracy of always choosing the most frequent magnification.
    figures
        ``accuracy`` (share of images whose class is right), ``patient_accuracy`` (mean over patients of that
        share; Spanhol et al. 2016), ``kappa`` (Cohen's, unweighted), ``recall_40`` and so on for each magnification
        that there is, ``median_error_octaves`` and ``mean_error_octaves`` (absolute).
    """

    chance: float
    figures: Mapping[str, Figure]


def score(
    relative: NDArray[np.floating], magnifications: NDArray[np.int64], patients: Sequence[str], seed: int = 0
) -> BreakHisScores:
    """Score estimates for images, with intervals by resampling patients.

    Parameters
    ----------
    relative
        (image,) log2 mpp relative to the 40x images.
    magnifications, patients
        (image,) the truth, and what is resampled.
    """
    labels = np.asarray(patients)
    rows = [np.flatnonzero(labels == patient) for patient in np.unique(labels)]
    rng = np.random.default_rng(seed)
    found = _figures(relative, magnifications, rows)
    draws = [rng.integers(len(rows), size=len(rows)) for _ in range(RESAMPLES)]
    again = [_figures(relative, magnifications, [rows[index] for index in draw]) for draw in draws]
    ends = [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
    figures = {
        name: Figure(value, *map(float, np.nanquantile([figure.get(name, np.nan) for figure in again], ends)))
        for name, value in found.items()
    }
    return BreakHisScores(float(np.bincount(magnifications).max() / len(magnifications)), figures)


def _figures(
    relative: NDArray[np.floating], magnifications: NDArray[np.int64], rows: Sequence[NDArray[np.int64]]
) -> dict[str, float]:
    """Figures of patients, given as the rows of each; a patient drawn twice counts as two."""
    chosen = np.concatenate(rows)
    truth, said = magnifications[chosen], nearest_magnification(relative[chosen])
    right, error = truth == said, np.abs(relative[chosen] - relative_log2_mpp(truth))
    shares = [part.mean() for part in np.split(right, np.cumsum([len(part) for part in rows])[:-1])]
    recalls = {f"recall_{m}": float(right[truth == m].mean()) for m in np.unique(truth)}
    return {
        "accuracy": float(right.mean()),
        "patient_accuracy": float(np.mean(shares)),
        "kappa": _kappa(truth, said),
        **recalls,
        "median_error_octaves": float(np.median(error)),
        "mean_error_octaves": float(error.mean()),
    }


def _kappa(truth: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """Cohen's kappa; NaN if there is only one class."""
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(truth, said)) if len(np.unique([truth, said])) > 1 else float("nan")
