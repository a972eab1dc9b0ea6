"""Figures of how well µm per pixel is read: plain arithmetic on answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from wsi_scale.magnification.intervals import conformal_quantile
from wsi_scale.magnification.verdict import Claim, judge

#: Share of slides whose truth an interval shall hold, and how far beyond it an answer is badly wrong, octaves.
COVERAGE, BADLY_OCTAVES = 0.9, 0.5
#: Groups of fewer cases have no row of their own.
LEAST_CASES, OTHERS = 3, "others"


@dataclass(frozen=True)
class Answer:
    """Answer of an estimator to one draw.

    Attributes
    ----------
    name, case, scanner
        Of the draw.
    mpp, octave
        Truth, and the lower end of the octave that it was drawn from.
    log2_mpp, difficulty_octaves
        The pooled estimate.
    views
        Views at the draw's own mpp.
    reason
        Why the estimator abstains; "" where it does not.
    stain, organ
        Of the draw.
    """

    name: str
    case: str
    scanner: str
    mpp: float
    octave: float
    log2_mpp: float
    difficulty_octaves: float
    views: int
    reason: str
    stain: str
    organ: str

    @property
    def error(self) -> float:
        """Octaves; positive where the estimate is too coarse."""
        return self.log2_mpp - float(np.log2(self.mpp))

    @property
    def score(self) -> float:
        """Absolute error over difficulty, as intervals are calibrated on."""
        return abs(self.error) / self.difficulty_octaves


def errors(answers: Sequence[Answer]) -> NDArray[np.float64]:
    """Errors of answers, octaves; one that is not there is left out."""
    found = np.array([answer.error for answer in answers])
    finite: NDArray[np.float64] = found[np.isfinite(found)]
    return finite


def error_figures(answers: Sequence[Answer]) -> dict[str, float]:
    """Median error and bias of answers that are there, and how many they are."""
    found = errors(answers)
    return {
        "median_octaves": round(float(np.median(np.abs(found))), 4),
        "bias_octaves": round(float(np.median(found)), 4),
        "n": len(found),
    }


def by_octave(answers: Sequence[Answer]) -> dict[float, list[Answer]]:
    """Answers by the octave of their draw."""
    octaves = sorted({answer.octave for answer in answers})
    return {octave: [answer for answer in answers if answer.octave == octave] for octave in octaves}


def octave_mean(answers: Sequence[Answer], figure: str) -> float:
    """Mean over octaves of the "median" error or the share "within" a quarter octave; octaves weigh the same."""
    values = []
    for members in by_octave(answers).values():
        size = np.abs(errors(members))
        values.append(np.median(size) if figure == "median" else np.mean(size <= 0.25))
    return float(np.mean(values))


def slide_figures(answers: Sequence[Answer]) -> dict[str, float]:
    """Median error and share within a quarter of an octave, octaves weighing the same."""
    return {
        "median_octaves": round(octave_mean(answers, "median"), 4),
        "within_quarter_octave": round(octave_mean(answers, "within"), 4),
        "bias_octaves": round(float(np.median(errors(answers))), 4),
        "n": len(answers),
    }


def tile_figures(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> dict[str, float]:
    """R² on log2 mpp, mean absolute error in µm per pixel and median error in octaves of single tiles."""
    left = np.square(estimate - truth).sum() / np.square(truth - truth.mean()).sum()
    return {"r2": round(float(1 - left), 4), **tile_errors(estimate, truth)}


def tile_errors(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> dict[str, float]:
    """Mean absolute error in µm per pixel and median error in octaves of single tiles, also of one µm per pixel."""
    return {
        "mae_um": round(float(np.abs(2**estimate - 2**truth).mean()), 4),
        "median_octaves": round(float(np.median(np.abs(estimate - truth))), 4),
        "n": len(truth),
    }


def coverage(answers: Sequence[Answer], scores: Sequence[float]) -> dict[str, float]:
    """How often an interval that is calibrated on ``scores`` holds the truth, and how wide it is."""
    quantile = conformal_quantile(np.array(scores), COVERAGE)
    halves = np.array([quantile * answer.difficulty_octaves for answer in answers])
    inside = np.array([abs(answer.error) for answer in answers]) <= halves
    return {"coverage": round(float(inside.mean()), 4), "width_octaves": round(float(2 * np.median(halves)), 4)}


def flags(answers: Sequence[Answer], scores: Sequence[float]) -> dict[str, float]:
    """How often a claim that is 2x wrong is flagged, and one that is right."""
    quantile = conformal_quantile(np.array(scores), COVERAGE)
    wrong = [_flagged(answer, answer.mpp * factor, quantile) for answer in answers for factor in (0.5, 2.0)]
    right = [_flagged(answer, answer.mpp, quantile) for answer in answers]
    return {"sensitivity": round(float(np.mean(wrong)), 4), "false_alarm": round(float(np.mean(right)), 4)}


def wrong_and_confident(answers: Sequence[Answer], scores: Sequence[float]) -> dict[str, float]:
    """Count answers whose interval misses the truth by more than half an octave; an abstention is none.

    Returns
    -------
    figures
        ``wrong`` and ``answered`` are counts, ``share`` their ratio, ``upper`` the upper end of its exact 95 % interval
        (Clopper and Pearson 1934).
    """
    quantile = conformal_quantile(np.array(scores), COVERAGE)
    given = [answer for answer in answers if not answer.reason and np.isfinite(answer.error)]
    missed = [abs(answer.error) - quantile * answer.difficulty_octaves for answer in given]
    wrong = int(np.sum(np.array(missed) > BADLY_OCTAVES))
    upper = float(beta.ppf(0.975, wrong + 1, len(given) - wrong)) if wrong < len(given) else 1.0
    return {
        "wrong": wrong,
        "answered": len(given),
        "share": round(wrong / max(len(given), 1), 4),
        "upper": round(upper, 4),
    }


def _flagged(answer: Answer, claimed: float, quantile: float) -> bool:
    half = quantile * answer.difficulty_octaves
    low, middle, high = (2 ** (answer.log2_mpp + sign * half) for sign in (-1, 0, 1))
    estimate = None if answer.reason else (middle, low, high)
    return judge(Claim(claimed, usable=True), estimate).flag in ("off_2x", "off_10x")


def by_source(answers: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Median error and bias of each source."""
    names = sorted({answer.name for answer in answers})
    rows: dict[str, dict[str, float]] = {}
    for name in names:
        members = [answer for answer in answers if answer.name == name]
        found = errors(members)
        if len(found):
            rows[name] = {
                "median_octaves": round(float(np.median(np.abs(found))), 4),
                "bias_octaves": round(float(np.median(found)), 4),
                "abstained": round(float(np.mean([bool(answer.reason) for answer in members])), 3),
                "n": len(members),
            }
    return rows


def by_group(answers: Sequence[Answer], group: Callable[[Answer], str]) -> dict[str, dict[str, float]]:
    """Median error, share within a quarter octave, bias, draws and cases of each group; of few cases all are one."""
    cases: dict[str, set[str]] = {}
    for answer in answers:
        cases.setdefault(group(answer), set()).add(answer.case)
    members: dict[str, list[Answer]] = {}
    for answer in answers:
        name = group(answer)
        members.setdefault(name if len(cases[name]) >= LEAST_CASES else OTHERS, []).append(answer)
    rows = {}
    for name in sorted(members, key=lambda each: (each == OTHERS, each)):
        found = np.abs(errors(members[name]))
        rows[name] = error_figures(members[name]) | {
            "within_quarter_octave": round(float(np.mean(found <= 0.25)), 4),
            "cases": len({answer.case for answer in members[name]}),
        }
    return rows


def median_over_sources(rows: Mapping[str, Mapping[str, float]]) -> float:
    """Median over sources, one vote each."""
    return round(float(np.median([row["median_octaves"] for row in rows.values()])), 4)


def bootstrap(values: NDArray[np.float64], groups: Sequence[str], figure: str, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the median or mean of ``values`` over resampled groups (cases, images)."""
    rng = np.random.default_rng(seed)
    names = sorted(set(groups))
    members = [values[np.array(groups) == name] for name in names]
    reduce = np.median if figure == "median" else np.mean
    picks = (rng.integers(len(names), size=len(names)) for _ in range(1000))
    drawn = [reduce(np.concatenate([members[i] for i in pick])) for pick in picks]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)
