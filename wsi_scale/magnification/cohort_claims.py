"""What a cohort's claims of µm per pixel have in common: an error of the estimator's, or claims that are wrong alike.

The octaves between a slide's estimate and its claim are the sum of an error that all slides of a laboratory share
(stain, thickness, the scanner's tone curve), of the slide's own, and of what is wrong with the claim. One slide alone
cannot tell them apart; its cohort can.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.verdict import OFF_OCTAVES

#: Spread of the shared errors of laboratories and of the slides of one laboratory, octaves (benchmarks/RESULTS.md).
LABORATORY_OCTAVES, SLIDE_OCTAVES = 0.15, 0.2
#: Slides that this spread counts as beside a cohort's own, and the factors on it that are tried.
_PRIOR_SLIDES = 30
_SPREADS = 2.0 ** np.linspace(-0.75, 0.75, 5)
#: A share of the slides' errors have a larger spread by this factor: tails are heavier than a normal distribution's.
_TAIL_SHARE, _TAIL_FACTOR = 0.1, 3.0
#: Fewer slides are each judged alone, and among fewer than the second no subgroup is looked for.
LEAST_SLIDES, LEAST_TO_SPLIT = 5, 8
#: Least distance of a subgroup from the others, octaves: 1.3 times.
SUBGROUP_OCTAVES = 0.4
#: Standard deviations from which on a slide, and the shared error, are too far off, and the logarithm of the
#: likelihood ratio from which on there are two groups: each 1 of 100 by chance (benchmarks/RESULTS.md).
_APART_DEVIATIONS, _SHARED_DEVIATIONS, _SPLIT_EVIDENCE = 3.0, 2.6, 1.8
#: Distances of a second group from the first that its search starts from, and the steps of a search.
_STARTS = np.concatenate([sign * np.arange(SUBGROUP_OCTAVES, 3.5, 0.3) for sign in (-1, 1)])
_STEPS = 10


@dataclass(frozen=True)
class CohortClaims:
    """A cohort's claims, judged together.

    Attributes
    ----------
    shift_octaves
        The error that the slides share, to be taken off each one's; shrunk towards 0 as far as few slides can say.
    shift_deviation
        Its standard deviation, octaves.
    spread_octaves
        Standard deviation of the slides' errors about it, without wrong claims.
    all_off
        Whether the shared error is larger than a laboratory's: the claims of all slides are probably wrong alike.
    subgroup
        (slide,) bool: claims that are probably wrong alike, while those of the others are not.
    subgroup_octaves
        Distance of the subgroup from the others; NaN without one.
    apart
        (slide,) bool: a slide that lies far from the shared error by itself.
    """

    shift_octaves: float
    shift_deviation: float
    spread_octaves: float
    all_off: bool
    subgroup: NDArray[np.bool_]
    subgroup_octaves: float
    apart: NDArray[np.bool_]

    @property
    def differing(self) -> NDArray[np.bool_]:
        """(slide,) whose claims differ from the others', alone or alike."""
        return self.apart | self.subgroup

    @property
    def doubtful(self) -> NDArray[np.bool_]:
        """(slide,) whose claims are in doubt for any of these reasons; all of them if all are off."""
        return np.ones_like(self.apart) if self.all_off else self.differing


@dataclass(frozen=True)
class _Fit:
    """One group, whose ``distance`` is NaN, or two, of which the second (``belongs``) is the smaller one."""

    evidence: float
    spread: float
    distance: float
    belongs: NDArray[np.bool_]


@dataclass(frozen=True)
class _Shared:
    """Centre of a group, its standard error, and whether it is further from 0 than a laboratory's error would be."""

    centre: float
    error: float
    off: bool


def judge_claims(
    errors_octaves: NDArray[np.float64], half_widths_octaves: NDArray[np.float64] | None = None
) -> CohortClaims | None:
    """Judge the claims of slides that share a scanner or a laboratory.

    One group of slides is compared with two by the ratio of their likelihoods; errors are normal with heavy tails,
    with a prior for their spread.

    Parameters
    ----------
    errors_octaves
        (slide,) log2 of estimate over claim; NaN where there is no estimate or no claim.
    half_widths_octaves
        (slide,) half widths of the estimates' intervals, of any one coverage: slides whose interval is wider than is
        usual here may lie as much farther off. None takes all for equally certain.

    Returns
    -------
    claims
        None of fewer than ``LEAST_SLIDES`` slides with an estimate and a claim.

    >>> found = judge_claims(np.array([-0.3, -0.2, -0.25, -0.35, -0.1, 0.8, np.nan]))
    >>> found.apart.tolist(), found.all_off
    ([False, False, False, False, False, True, False], False)
    """
    known = np.isfinite(errors_octaves)
    errors = errors_octaves[known]
    if len(errors) < LEAST_SLIDES:
        return None
    fit = _best_fit(errors)
    shared, doubtful = _shared(errors[~fit.belongs], fit.spread), fit.belongs
    if shared.off and doubtful.any():
        fewer = _shared(errors[doubtful], fit.spread)
        # Most claims are wrong alike, and the few others are right.
        if not fewer.off:
            shared, doubtful, fit = fewer, ~doubtful, replace(fit, distance=-fit.distance)
    kept = 1.0 if shared.off else LABORATORY_OCTAVES**2 / (LABORATORY_OCTAVES**2 + shared.error**2)
    shift, deviation = kept * shared.centre, math.sqrt(kept) * shared.error
    spreads = fit.spread * (1.0 if half_widths_octaves is None else _wider(half_widths_octaves[known]))
    limit = np.maximum(OFF_OCTAVES, _APART_DEVIATIONS * np.hypot(spreads, deviation))
    return CohortClaims(
        shift_octaves=shift,
        shift_deviation=deviation,
        spread_octaves=fit.spread,
        all_off=shared.off,
        subgroup=_placed(doubtful, known),
        subgroup_octaves=fit.distance,
        apart=_placed(np.abs(errors - shift) > limit, known),
    )


def _wider(half_widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors, at least 1, by which intervals are wider than the usual one."""
    usual = np.median(half_widths)
    return np.maximum(half_widths / usual, 1) if usual > 0 else np.ones(len(half_widths))


def _placed(values: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    placed = np.zeros(len(known), np.bool_)
    placed[known] = values
    return placed


def _shared(errors: NDArray[np.float64], spread: float) -> _Shared:
    centre = float(_centres(errors, np.ones((1, len(errors))), np.array([np.median(errors)]), spread)[0])
    error = spread / math.sqrt(_narrow(errors - centre, spread).sum())
    return _Shared(centre, error, abs(centre) > _SHARED_DEVIATIONS * math.hypot(LABORATORY_OCTAVES, error))


def _best_fit(errors: NDArray[np.float64]) -> _Fit:
    """One group, unless two are much more likely; the spread is the likeliest of each."""
    spreads = [float(SLIDE_OCTAVES * factor) for factor in _SPREADS]
    one = max((_one_group(errors, spread) for spread in spreads), key=lambda fit: fit.evidence)
    if len(errors) < LEAST_TO_SPLIT:
        return one
    two = max((_two_groups(errors, spread) for spread in spreads), key=lambda fit: fit.evidence)
    return two if two.evidence - one.evidence > _SPLIT_EVIDENCE and two.belongs.sum() > 1 else one


def _one_group(errors: NDArray[np.float64], spread: float) -> _Fit:
    centre = np.array([np.median(errors)])
    for _ in range(_STEPS):
        centre = _centres(errors, np.ones((1, len(errors))), centre, spread)
    evidence = float(_log_density(errors - centre, spread).sum()) + _log_prior(spread)
    return _Fit(evidence, spread, math.nan, np.zeros(len(errors), np.bool_))


def _two_groups(errors: NDArray[np.float64], spread: float) -> _Fit:
    """Fit two groups of one spread by expectation maximisation from many starts."""
    sign = np.sign(_STARTS)
    centre, distance, share = np.full(len(_STARTS), np.median(errors)), _STARTS, np.full(len(_STARTS), 0.25)
    for step in range(_STEPS):
        first = np.log1p(-share)[:, None] + _log_density(errors - centre[:, None], spread)
        second = np.log(share)[:, None] + _log_density(errors - (centre + distance)[:, None], spread)
        together = np.logaddexp(first, second)
        belongs = np.exp(second - together)
        if step < _STEPS - 1:
            other = _centres(errors, belongs, centre + distance, spread)
            centre = _centres(errors, 1 - belongs, centre, spread)
            distance = sign * np.maximum(sign * (other - centre), SUBGROUP_OCTAVES)
            share = np.clip(belongs.mean(axis=1), 0.5 / len(errors), 0.5)
    evidence = together.sum(axis=1) + _log_prior(spread)
    evidence[(belongs > 0.5).mean(axis=1) > 0.5] = -math.inf
    best = int(evidence.argmax())
    return _Fit(float(evidence[best]), spread, float(distance[best]), belongs[best] > 0.5)


def _centres(
    errors: NDArray[np.float64], belongs: NDArray[np.float64], centres: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """Centres of groups, (group,), one step closer: ``belongs`` is (group, slide)."""
    weights = belongs * _narrow(errors - centres[:, None], spread)
    return np.asarray((weights * errors).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9))


def _log_prior(spread: float) -> float:
    """Log density of a spread (scaled inverse χ²), up to a constant."""
    ratio = (SLIDE_OCTAVES / spread) ** 2
    return 0.5 * _PRIOR_SLIDES * (math.log(ratio) + 1 - ratio)


def _log_density(errors: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Log density of slides' errors, up to a constant: a normal distribution with a share of a wider one."""
    squares = (errors / spread) ** 2
    narrow = math.log1p(-_TAIL_SHARE) - 0.5 * squares
    wide = math.log(_TAIL_SHARE / _TAIL_FACTOR) - 0.5 * squares / _TAIL_FACTOR**2
    return np.asarray(np.logaddexp(narrow, wide) - math.log(spread))


def _narrow(errors: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Weights of errors in a mean: near 1 at the centre, the inverse square of the tail's factor far from it."""
    from scipy.special import expit  # every command loads this module, and SciPy takes a quarter of a second

    wide = math.log(_TAIL_SHARE / (1 - _TAIL_SHARE) / _TAIL_FACTOR)
    share = expit(wide + 0.5 * (errors / spread) ** 2 * (1 - _TAIL_FACTOR**-2))
    return np.asarray(1 - share * (1 - _TAIL_FACTOR**-2))
