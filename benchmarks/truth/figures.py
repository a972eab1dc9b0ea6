"""Figures of estimators, in octaves: functions of logarithms alone, the same for every estimator and every test."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.documents import write_json

Numbers = NDArray[np.float64]

#: Draws of a bootstrap.
DRAWS = 1000


@dataclass(frozen=True)
class Finding:
    """What a test says of an estimator.

    Attributes
    ----------
    figures
        For the table, JSON-able.
    points
        What the figures were computed of, for pictures.
    """

    figures: dict[str, Any]
    points: dict[str, Numbers] = field(default_factory=dict)


def write_findings(path: Path, tests: Mapping[str, Finding]) -> None:
    """Write what an estimator's tests found, points and all."""
    content = {
        name: {"figures": finding.figures, "points": {part: each.tolist() for part, each in finding.points.items()}}
        for name, finding in tests.items()
    }
    write_json(path, rounded(content))


def read_findings(path: Path) -> dict[str, Finding]:
    """Read what :func:`write_findings` wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Finding(finding["figures"], {part: np.array(each, float) for part, each in finding["points"].items()})
        for name, finding in stored.items()
    }


def rounded(value: Any) -> Any:
    """Round numbers for a table, however deep they lie; None in place of NaN."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if math.isfinite(value) else None
    return value


def planted_figures(log2_radius: Numbers, log2_scale: Numbers) -> dict[str, Any]:
    """Compare estimated scales with planted radii.

    Parameters
    ----------
    log2_radius, log2_scale
        (tile,); a scale is NaN without an answer. If it follows the radius, the slope is −1.

    Returns
    -------
    figures
        Slope of log2 scale on log2 radius by least squares with its standard error, root mean square of their sum less
        its median (the truth is a constant sum), share answered, count.
    """
    answered = np.isfinite(log2_scale)
    x, y = log2_radius[answered], log2_scale[answered]
    slope, error = _line(x, y)
    return {
        "slope": slope,
        "slope_error": error,
        "deviation_octaves": deviation(x + y),
        "answered": float(answered.mean()) if len(answered) else math.nan,
        "tiles": len(answered),
    }


def deviation(errors: Numbers) -> float:
    """Root mean square of errors, octaves, less their median; those that are NaN do not count."""
    known = errors[np.isfinite(errors)]
    return float(np.sqrt(np.mean((known - np.median(known)) ** 2))) if len(known) else math.nan


def _line(x: Numbers, y: Numbers) -> tuple[float, float]:
    from scipy import stats

    if len(x) < 2 or np.ptp(x) == 0:
        return math.nan, math.nan
    fit = stats.linregress(x, y)
    return float(fit.slope), float(fit.stderr)


def interval(figure: Callable[[NDArray[np.intp]], float], units: Sequence[object], seed: int = 0) -> list[float]:
    """95 % bootstrap interval of a figure over independent units (cases, images), drawn again with all their members.

    Parameters
    ----------
    figure
        Of the numbers of the members that were drawn.
    units
        (member,) which unit each belongs to.
    """
    rng = np.random.default_rng(seed)
    names = np.array([str(unit) for unit in units])
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    if len(members) < 3:
        return [math.nan, math.nan]
    picks = (rng.integers(len(members), size=len(members)) for _ in range(DRAWS))
    single = np.concatenate(members) if len(members) == len(names) else None
    drawn = [figure(np.concatenate([members[i] for i in pick]) if single is None else single[pick]) for pick in picks]
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.isfinite(drawn).any() else (math.nan, math.nan)
    return [float(low), float(high)]


def difference_figures(errors: Numbers, cases: Sequence[object]) -> dict[str, Any]:
    """Figures of differences that should be zero.

    Parameters
    ----------
    errors
        (pair,) octaves; NaN where one of the two has no answer.
    cases
        (pair,) the case each is of.

    Returns
    -------
    figures
        Median and 90th percentile of the absolute value, each with an interval over cases, the median with its sign,
        the share where both are answered, and counts.
    """
    answered = np.isfinite(errors)
    known, of_case = errors[answered], [case for case, there in zip(cases, answered, strict=True) if there]
    size = np.abs(known)
    if not len(known):
        return {"pairs": len(errors), "answered": 0.0}
    return {
        "median_octaves": float(np.median(size)),
        "median_interval": interval(lambda drawn: float(np.median(size[drawn])), of_case),
        "p90_octaves": float(np.quantile(size, 0.9)),
        "p90_interval": interval(lambda drawn: float(np.quantile(size[drawn], 0.9)), of_case),
        "shift_octaves": float(np.median(known)),
        "answered": float(answered.mean()),
        "pairs": len(errors),
        "cases": len(set(cases)),
    }


def agreement(log2_truth: Numbers, log2_estimate: Numbers) -> dict[str, Any]:
    """Compare estimates with measured radii, one of each an image.

    Returns
    -------
    figures
        Standard deviation of the error, that is, after one bias; of the truth, which is that of a constant's error;
        their ratio and the rank correlation (Spearman) with intervals over images, drawn as pairs; the bias.
    """
    known = np.isfinite(log2_estimate) & np.isfinite(log2_truth)
    truth, error = log2_truth[known], (log2_estimate - log2_truth)[known]
    estimate, images = log2_estimate[known], range(int(known.sum()))

    def ratio(drawn: NDArray[np.intp]) -> float:
        usual = float(np.std(truth[drawn]))
        return float(np.std(error[drawn])) / usual if usual else math.nan

    def rank(drawn: NDArray[np.intp]) -> float:
        return spearman(truth[drawn], estimate[drawn])

    every = np.arange(len(truth))
    return {
        "sd_octaves": float(np.std(error)) if len(error) else math.nan,
        "sd_interval": interval(lambda drawn: float(np.std(error[drawn])), images),
        "sd_of_constant": float(np.std(truth)) if len(error) else math.nan,
        "ratio": ratio(every) if len(error) else math.nan,
        "ratio_interval": interval(ratio, images),
        "rank_correlation": rank(every),
        "rank_interval": interval(rank, images),
        "bias_octaves": float(np.mean(error)) if len(error) else math.nan,
        "images": len(known),
        "answered": float(known.mean()) if len(known) else math.nan,
    }


def spearman(first: Numbers, second: Numbers) -> float:
    """Rank correlation; NaN where one of them does not vary."""
    from scipy import stats

    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])


def slope_figures(log2_factor: Numbers, log2_estimate: Numbers) -> dict[str, Any]:
    """Figures of the slopes with which the estimates of images follow known factors; the truth is 1.

    Parameters
    ----------
    log2_factor
        (factor,).
    log2_estimate
        (image, factor); NaN without an answer.
    """
    slopes = np.array(
        [_line(log2_factor[known], row[known])[0] for row in log2_estimate for known in [np.isfinite(row)]]
    )
    slopes = slopes[np.isfinite(slopes)]
    if not len(slopes):
        return {"images": 0}
    return {
        "median": float(np.median(slopes)),
        "median_interval": interval(lambda drawn: float(np.median(slopes[drawn])), range(len(slopes))),
        "quartiles": [float(value) for value in np.quantile(slopes, (0.25, 0.75))],
        "images": len(slopes),
    }


def confidence_figures(confidence: Numbers, errors: Numbers, units: Sequence[object]) -> dict[str, Any]:
    """Say whether confidence predicts the error.

    Parameters
    ----------
    confidence, errors
        (tile,); errors in octaves, NaN without an answer. One bias is taken off.
    units
        (tile,) image or case; intervals are over these.

    Returns
    -------
    figures
        Rank correlation of confidence and absolute error (below zero if it predicts) with its interval; by thirds of
        the confidence, low to high, its mean and the root mean square error; whether that falls all the way.
    """
    known = np.isfinite(errors) & np.isfinite(confidence)
    sure, error = confidence[known], errors[known]
    size = np.abs(error - np.median(error)) if len(error) else error
    if len(size) < 9 or np.ptp(sure) == 0:
        return {"tiles": len(size)}
    thirds = np.array_split(np.argsort(sure, kind="stable"), 3)
    rms = [float(np.sqrt(np.mean(size[third] ** 2))) for third in thirds]
    of_unit = [unit for unit, there in zip(units, known, strict=True) if there]
    return {
        "rank_correlation": spearman(sure, size),
        "rank_interval": interval(lambda drawn: spearman(sure[drawn], size[drawn]), of_unit),
        "confidence_by_third": [float(sure[third].mean()) for third in thirds],
        "rms_by_third": rms,
        "monotone": bool(rms[0] > rms[1] > rms[2]),
        "tiles": len(size),
        "units": len(set(of_unit)),
    }
