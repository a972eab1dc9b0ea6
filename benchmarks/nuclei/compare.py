"""Scores of both arms, and the paired ratio of their errors with an interval."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.nuclei.frozen import ARMS, SEEDS
from benchmarks.nuclei.nucleus_area import (
    AreaScores,
    area_errors,
    constant_area,
    fit_area_classes,
    score_areas,
)
from benchmarks.nuclei.patches import Patches, read_patches, split_patients
from benchmarks.nuclei.store import Answer

#: Lines of the table: a data set, and whether only test patients with the data set's own masks are scored. The
#: fits are the same, so that the second line differs in the truth alone.
LINES = {"monuseg": ("monuseg", False), "monuseg, official masks": ("monuseg", True), "tnbc": ("tnbc", False)}
DRAWS = 4000


@dataclass(frozen=True)
class PairedRatio:
    """Error of the pruned arm over that of the full one.

    Attributes
    ----------
    ratio
        Geometric mean over the splits.
    low, high
        95 % interval.
    per_seed
        One a split.
    """

    ratio: float
    low: float
    high: float
    per_seed: list[float]


def paired_ratio(
    patients: Sequence[NDArray[np.str_]],
    full: Sequence[NDArray[np.float64]],
    pruned: Sequence[NDArray[np.float64]],
) -> PairedRatio:
    """Paired ratio of mean absolute errors, with a bootstrap over splits and patients.

    Splits and patients are drawn again together, and a patient who is tested in several splits is drawn for all of
    them. A t interval over the splits would take them as independent, though they share patients, and would have
    four degrees of freedom; patients are what a result has to generalise over.

    Parameters
    ----------
    patients, full, pruned
        For each split, the patient of each test patch and both arms' absolute errors on it, (patch,).
    """
    names = np.unique(np.concatenate(patients))
    sums = np.zeros((2, len(patients), len(names)))
    for split, patient in enumerate(patients):
        place = np.searchsorted(names, patient)
        for arm, errors in enumerate((full, pruned)):
            sums[arm, split] = np.bincount(place, weights=errors[split], minlength=len(names))
    rng = np.random.default_rng(0)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    splits = rng.multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=DRAWS).astype(float)
    drawn_full, drawn_pruned = np.einsum("dp,asp->ads", weights, sums)
    # A draw can miss all test patients of a small split, which then gives no ratio.
    splits[drawn_full == 0] = 0
    logs = np.log(np.where(splits > 0, drawn_pruned, 1)) - np.log(np.where(splits > 0, drawn_full, 1))
    drawn = splits.sum(axis=1) > 0
    low, high = np.exp(np.quantile((splits * logs)[drawn].sum(axis=1) / splits[drawn].sum(axis=1), (0.025, 0.975)))
    per_seed = sums[1].sum(axis=1) / sums[0].sum(axis=1)
    return PairedRatio(float(np.exp(np.log(per_seed).mean())), float(low), float(high), per_seed.tolist())


def summarise(root: Path, answers: Sequence[Answer]) -> dict[str, Any]:
    """Score answers: arms, ratios, and what the rule's oracle and a constant reach, line by line."""
    fits: dict[tuple[str, str, str, str], dict[str, dict[int, Answer]]] = defaultdict(lambda: defaultdict(dict))
    for each in answers:
        fits[each.dataset, each.reading, each.network, each.target][each.arm][each.seed] = each
    summary: dict[str, Any] = {"arms": [], "ratios": [], "references": {}}
    for line, (dataset, official) in LINES.items():
        patches = read_patches(root, dataset)
        scored = Scored(patches, official)
        summary["references"][line] = scored.references()
        for (found, reading, network, target), arms in fits.items():
            if found == dataset:
                named = {"line": line, "reading": reading, "network": network, "target": target}
                summary["arms"] += [named | {"arm": arm} | scored.arm(arms[arm]) for arm in ARMS]
                summary["ratios"].append(named | scored.ratios(arms["full"], arms["pruned"]))
    return summary


class Scored:
    """The test patches of every split, as one line of the table scores them.

    Parameters
    ----------
    patches
        Of the data set.
    official
        Whether only patients with the data set's own masks are scored.
    """

    def __init__(self, patches: Patches, official: bool) -> None:
        self.patches = patches
        self.splits = {seed: split_patients(patches.patient, seed) for seed in SEEDS}
        self.scored = patches.official if official else np.ones(len(patches.area_px2), bool)

    def references(self) -> dict[str, Any]:
        """How many are scored, the oracle's kappa, and what a constant reaches."""
        tests = {seed: split.test & self.scored for seed, split in self.splits.items()}
        return {
            "patients": len(np.unique(self.patches.patient[self.scored])),
            "patches": int(self.scored.sum()),
            "test_patients": [len(np.unique(self.patches.patient[test])) for test in tests.values()],
            "oracle_kappa": _over_seeds([self._score(seed, self.truth(seed)).kappa for seed in SEEDS]),
            "constant": _scores_over_seeds([self._score(seed, self._constant(seed)) for seed in SEEDS]),
        }

    def truth(self, seed: int) -> NDArray[np.float64]:
        """Return the true areas of a split's whole test."""
        return self.patches.area_px2[self.splits[seed].test]

    def arm(self, answers: dict[int, Answer]) -> dict[str, Any]:
        """Scores of one arm over the splits, and what it chose in each."""
        scores = [self._score(seed, answers[seed].area_px2) for seed in SEEDS]
        chosen = {
            "layers": [answers[seed].layer for seed in SEEDS],
            "settings": [answers[seed].setting for seed in SEEDS],
        }
        return _scores_over_seeds(scores) | chosen

    def ratios(self, full: dict[int, Answer], pruned: dict[int, Answer]) -> dict[str, Any]:
        """Paired ratios of both errors."""
        kept = {seed: self.scored[split.test] for seed, split in self.splits.items()}
        patients = [self.patches.patient[self.splits[seed].test][kept[seed]] for seed in SEEDS]
        found: dict[str, Any] = {}
        for unit in ("px2", "octaves"):
            errors = [
                [getattr(area_errors(arm[seed].area_px2, self.truth(seed)), unit)[kept[seed]] for seed in SEEDS]
                for arm in (full, pruned)
            ]
            found[unit] = _rounded(asdict(paired_ratio(patients, *errors)))
        return found

    def _constant(self, seed: int) -> NDArray[np.float64]:
        constant = constant_area(self.patches.area_px2[self.splits[seed].train])
        return np.full(int(self.splits[seed].test.sum()), constant)

    def _score(self, seed: int, predicted: NDArray[np.float64]) -> AreaScores:
        split, area, power = self.splits[seed], self.patches.area_px2, self.patches.power
        kept = self.scored[split.test]
        classes = fit_area_classes(area[split.train], power[split.train])
        return score_areas(predicted[kept], area[split.test][kept], power[split.test][kept], classes)


def _scores_over_seeds(scores: Sequence[AreaScores]) -> dict[str, Any]:
    return {unit: _over_seeds([getattr(score, unit) for score in scores]) for unit in AreaScores.__annotations__}


def _over_seeds(values: Sequence[float]) -> dict[str, Any]:
    return _rounded({"mean": np.mean(values), "sd": np.std(values, ddof=1), "per_seed": list(values)})


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: [round(float(v), 4) for v in value] if isinstance(value, list) else round(float(value), 4)
            for name, value in values.items()}  # fmt: skip
