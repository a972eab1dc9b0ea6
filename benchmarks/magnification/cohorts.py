"""Simulated cohorts: how often wrong claims are found when the slides of a scanner are judged together.

    python -m benchmarks.magnification.cohorts

Writes results/bench/cohort_claims.json. Errors vary by 0.2 octave between slides and by 0.12 between laboratories, as
a normal or as a t distribution with 5 degrees of freedom.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from wsi_scale.artifacts.documents import write_json
from wsi_scale.magnification.cohort_claims import CohortClaims, judge_claims

#: Spread of the simulated errors, octaves; share of a subgroup; sizes of cohorts; how many of each are drawn.
SLIDE_OCTAVES, LABORATORY_OCTAVES, SUBGROUP = 0.2, 0.12, 0.3
SIZES, COHORTS, SEED = (6, 10, 20, 50), 1000, 2026
BY_HALF = float(np.log2(1.5))

Errors = NDArray[np.float64]


def main() -> None:
    """Simulate, print and write."""
    table = {}
    for tails, slides in product(("normal", "heavy"), SIZES):
        found = figures(slides, tails)
        table[f"{tails}, {slides} slides"] = found
        print(f"{tails:6}  {slides:2} slides  " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    write_json(RESULTS / "cohort_claims.json", table)


def figures(slides: int, tails: str) -> dict[str, float]:
    """Return false alarms (of right claims), and shares of wrong claims that are found."""
    rng = np.random.default_rng((SEED, slides, len(tails)))
    right = _judged(rng, slides, tails, lambda errors: errors)
    wrong = np.arange(slides) < round(SUBGROUP * slides)
    alike = _judged(rng, slides, tails, lambda errors: errors + BY_HALF * wrong)
    single = {factor: _judged(rng, slides, tails, _first_off(float(np.log2(factor)))) for factor in (1.3, 1.5, 2.0)}
    every = _judged(rng, slides, tails, lambda errors: errors + BY_HALF)
    return {
        "false_alarm_slide": _mean(claims.apart.mean() for claims in right),
        "false_alarm_subgroup": _mean(claims.subgroup.any() for claims in right),
        "false_alarm_all": _mean(claims.all_off for claims in right),
        **{f"one_wrong_{factor}x": _mean(claims.doubtful[0] for claims in found) for factor, found in single.items()},
        "subgroup_wrong_1.5x": _mean(claims.subgroup.any() for claims in alike),
        "its_slides_flagged": _mean(claims.doubtful[wrong].mean() for claims in alike),
        "its_others_flagged": _mean(claims.doubtful[~wrong].mean() for claims in alike),
        "all_wrong_1.5x": _mean(claims.all_off for claims in every),
    }


def _first_off(octaves: float) -> Callable[[Errors], Errors]:
    return lambda errors: errors + octaves * (np.arange(len(errors)) == 0)


def _judged(
    rng: np.random.Generator, slides: int, tails: str, spoiled: Callable[[Errors], Errors]
) -> list[CohortClaims]:
    found = (judge_claims(spoiled(_errors(rng, slides, tails))) for _ in range(COHORTS))
    return [claims for claims in found if claims is not None]


def _errors(rng: np.random.Generator, slides: int, tails: str) -> Errors:
    own = rng.standard_normal(slides) if tails == "normal" else rng.standard_t(5, slides) * np.sqrt(3 / 5)
    return np.asarray(rng.normal(0, LABORATORY_OCTAVES) + SLIDE_OCTAVES * own)


def _mean(values: Iterable[Any]) -> float:
    return round(float(np.mean(list(values))), 4)


if __name__ == "__main__":
    main()
