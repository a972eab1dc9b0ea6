"""What more cases bring: a ridge on frozen features, trained on 10, 20, 40 and all cases, asked about unseen ones."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.magnification.estimators import FOLDS, kept_out
from benchmarks.magnification.features import Extractor
from benchmarks.magnification.figures import tile_figures
from benchmarks.magnification.fixed import PENALTIES, fixed_features
from benchmarks.sources import TRAINED_ON, read_crops

#: Cases to train on (None: all that a fold may see), and draws of them.
CASES: tuple[int | None, ...] = (10, 20, 40, None)
DRAWS = 5


def measure(root: Path, frozen: Extractor) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return R², error and spread of the cases' biases over the number of training cases, and a doubling's gain."""
    features, truth, cases = fixed_features(list(enumerate(read_crops(root, TRAINED_ON))), frozen)
    rows = [_row(features, truth, cases, count) for count in CASES]
    numbers, errors = (np.array([row[name] for row in rows]) for name in ("cases", "bias_spread_octaves"))
    slope = np.polyfit(np.log2(numbers), errors, 1)[0]
    curve = {f"{row['cases']:.0f}": row for row in rows}
    return {"learning_curve": {**curve, "next_doubling_octaves": round(float(slope), 4)}}, {}


def _row(
    features: NDArray[np.float64], truth: NDArray[np.float64], cases: NDArray[np.str_], count: int | None
) -> dict[str, float]:
    found = []
    for fold in FOLDS:
        outside = np.isin(cases, sorted(kept_out(fold)))
        able = np.unique(cases[~outside])
        for draw in range(DRAWS if count else 1):
            chosen = able if count is None else np.random.default_rng((count, draw)).permutation(able)[:count]
            inside = np.isin(cases, chosen)
            ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(features[inside], truth[inside])
            said = ridge.predict(features[outside])
            biases = [np.median((said - truth[outside])[cases[outside] == c]) for c in np.unique(cases[outside])]
            found.append(
                tile_figures(said, truth[outside])
                | {"bias_spread_octaves": float(np.std(biases)), "cases": len(chosen)}
            )
    return {name: round(float(np.mean([row[name] for row in found])), 4) for name in found[0]}
