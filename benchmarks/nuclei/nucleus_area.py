"""Mean nucleus area of a patch, and the magnification class read from it (Graziani et al. 2020, 2021)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Regions smaller than this at the patch's own power are no nuclei, px².
MIN_REGION_PX2 = 3.0


@dataclass(frozen=True)
class AreaClasses:
    """Magnification classes and their mean areas.

    Attributes
    ----------
    powers
        Objective powers, ascending, (class,).
    mean_area_px2
        Mean over patches of their mean nucleus areas, px² at each power, (class,).
    """

    powers: NDArray[np.int64]
    mean_area_px2: NDArray[np.float64]

    def nearest(self, area_px2: NDArray[np.floating]) -> NDArray[np.int64]:
        """Power of the class whose mean is nearest to each area (the lower one of two), (patch,)."""
        distance = np.abs(np.asarray(area_px2, np.float64)[:, None] - self.mean_area_px2)
        nearest: NDArray[np.int64] = self.powers[distance.argmin(axis=1)]
        return nearest


@dataclass(frozen=True)
class AreaErrors:
    """Absolute errors of areas.

    Attributes
    ----------
    px2
        In px², as published: those of the highest power outweigh all others; (patch,).
    octaves
        In octaves of area, alike at every power (an octave of µm per pixel is two of area); (patch,).
    """

    px2: NDArray[np.float64]
    octaves: NDArray[np.float64]


@dataclass(frozen=True)
class AreaScores:
    """How well areas, and the classes read from them, are predicted.

    Attributes
    ----------
    mae_px2, mae_octaves
        Mean absolute errors in px² and in octaves of area.
    kappa
        Unweighted Cohen's kappa of the class of the nearest mean area.
    """

    mae_px2: float
    mae_octaves: float
    kappa: float


def mean_nucleus_area(labels: NDArray[np.integer], ratio: float) -> float | None:
    """Mean area of the nuclei that lie wholly inside a patch, at the power that it is reduced to.

    Parameters
    ----------
    labels
        Instance labels of the patch at level 0, 0 for background, (row, col). Areas are counted here, where each
        nucleus has most pixels, and not on reduced labels, whose nuclei run together.
    ratio
        Pixels at the power for one pixel at level 0 (0.5 for 20x of 40x).

    Returns
    -------
    area
        px² at the power; None where no nucleus is left once those that touch the border, and those below 3 px²
        at the power, are taken away (the authors' own rule, Graziani et al. 2020).
    """
    areas = np.bincount(labels.ravel())
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    areas[border] = 0
    areas[0] = 0
    kept = areas[areas * ratio**2 >= MIN_REGION_PX2]
    return float(kept.mean() * ratio**2) if len(kept) else None


def fit_area_classes(area_px2: NDArray[np.floating], power: NDArray[np.integer]) -> AreaClasses:
    """Class means from training patches.

    Parameters
    ----------
    area_px2, power
        True mean area and objective power of each training patch, (patch,).
    """
    powers = np.unique(power).astype(np.int64)
    return AreaClasses(powers, np.array([np.mean(area_px2[power == each]) for each in powers]))


def area_errors(predicted_px2: NDArray[np.floating], true_px2: NDArray[np.floating]) -> AreaErrors:
    """Absolute errors of predicted areas, both ways.

    Parameters
    ----------
    predicted_px2, true_px2
        Areas above zero, (patch,).
    """
    return AreaErrors(
        np.abs(np.asarray(predicted_px2, np.float64) - true_px2), np.abs(np.log2(predicted_px2) - np.log2(true_px2))
    )


def score_areas(
    predicted_px2: NDArray[np.floating],
    true_px2: NDArray[np.floating],
    power: NDArray[np.integer],
    classes: AreaClasses,
) -> AreaScores:
    """Score predicted areas, and the published rule "class of the nearest mean area" on them.

    With the true areas as prediction the kappa is the rule's oracle: what it reaches with no error at all.

    Parameters
    ----------
    predicted_px2, true_px2, power
        Of the test patches, (patch,).
    classes
        From training patches only.
    """
    from sklearn.metrics import cohen_kappa_score

    errors = area_errors(predicted_px2, true_px2)
    kappa = cohen_kappa_score(power, classes.nearest(predicted_px2), labels=classes.powers)
    return AreaScores(float(errors.px2.mean()), float(errors.octaves.mean()), float(kappa))


def constant_area(training_px2: NDArray[np.floating]) -> float:
    """Predict without an image: the training median, best of all constants in px² and in octaves alike."""
    return float(np.median(training_px2))
