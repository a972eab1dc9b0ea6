"""The shipped estimator on the cases that the project keeps out, and elsewhere: the figures of its model card.

WSI_SCALE_DATA=… python -m benchmarks.magnification.shipped
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import data_root
from benchmarks.magnification import abstention, elsewhere, odd
from benchmarks.magnification.draws import LEAST_VIEWS, slide_draws
from benchmarks.magnification.estimators import answers_of, kept_out
from benchmarks.magnification.features import tile_features
from benchmarks.magnification.figures import by_octave, coverage, errors, flags, slide_figures, tile_figures
from benchmarks.sources import TRAINED_ON, read_crops
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.learning.estimator import Estimator, load_estimator

#: Where the figures stand.
FIGURES = Path("benchmarks/embedded_figures.json")


def main() -> None:
    """Measure, print and write."""
    root = data_root()
    estimator = load_estimator(Config(execution=ExecutionConfig(threads=2)))
    keys, tables = elsewhere.measure(root, estimator)
    strange, images = odd.measure(root)
    extremes, kinds = abstention.measure(root, estimator)
    figures = {
        "kept_out_cases": home_figures(root, estimator),
        "elsewhere": keys | tables,
        "odd": strange | images,
        "beyond": extremes | kinds,
    }
    FIGURES.write_text(json.dumps(figures, indent=1, default=str) + "\n", encoding="utf-8")
    print(FIGURES.read_text(encoding="utf-8"))


def home_figures(root: Path, estimator: Estimator) -> dict[str, Any]:
    """Figures on H&E of cases that neither the network nor its head saw."""
    unseen = kept_out("shipped")
    sources = [source for source in read_crops(root, TRAINED_ON) if source.case in unseen]
    answers = [a for a in answers_of(estimator, slide_draws(sources)) if a.views >= LEAST_VIEWS]
    answers = [answer for answer in answers if np.isfinite(answer.log2_mpp)]
    features, truth, _ = tile_features(list(enumerate(sources)), estimator)
    scores = estimator.regressor.scores.tolist()
    return {
        "cases": len({answer.case for answer in answers}),
        "tile_224": tile_figures(estimator.regressor.predict_tiles(features).log2_mpp, truth),
        "octaves": {str(octave): slide_figures(members) for octave, members in by_octave(answers).items()},
        "median_error_octaves": round(float(np.median(np.abs(errors(answers)))), 4),
        "interval": coverage(answers, scores),
        "flags": flags(answers, scores),
        "abstained": round(float(np.mean([bool(answer.reason) for answer in answers])), 4),
    }


if __name__ == "__main__":
    main()
