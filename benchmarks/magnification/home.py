"""Tissue of the atlas: by fold of cases, and with a scanner left out."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.magnification.draws import LEAST_VIEWS, image_draws, slide_draws
from benchmarks.magnification.estimators import FOLDS, LEFT_OUT, answers_of, kept_out, load_split
from benchmarks.magnification.features import tile_features
from benchmarks.magnification.figures import (
    Answer,
    bootstrap,
    by_group,
    by_octave,
    coverage,
    error_figures,
    errors,
    flags,
    octave_mean,
    slide_figures,
    tile_figures,
)
from benchmarks.sources import TRAINED_ON, Source, read_crops

#: µm per pixel of the main table, upper end of its octaves.
MAIN_UP_TO = 2.0


def measure(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures by case and by scanner."""
    sources = read_crops(root, TRAINED_ON)
    folds = {split: home_answers(sources, split) for split in FOLDS}
    left_out = {split: scanner_answers(sources, split, scanner) for split, scanner in LEFT_OUT.items()}
    home = [answer for answers in folds.values() for answer in answers]
    main = [answer for answer in home if answer.octave < MAIN_UP_TO]
    tiles = single_tile_figures(sources)
    scores = {split: [a.score for a in answers if a.octave < MAIN_UP_TO] for split, answers in left_out.items()}
    users = [score for part in scores.values() for score in part]
    low, high = bootstrap(np.abs(errors(main)), [a.case for a in main if np.isfinite(a.error)], "median")
    keys = {
        "n_cases": len({answer.case for answer in home}),
        "tile_r2": tiles["r2"],
        "tile_mae_um": tiles["mae_um"],
        "slide_median_octaves": round(octave_mean(main, "median"), 4),
        "slide_median_octaves_interval": [low, high],
        "slide_within_quarter_octave": round(octave_mean(main, "within"), 4),
        "scanner_out_median_octaves": max(_median(answers) for answers in left_out.values()),
        "scanner_out_coverage": min(
            coverage(_main(left_out[split]), scores[other])["coverage"]
            for split in LEFT_OUT
            for other in LEFT_OUT
            if other != split
        ),
        "home_coverage": coverage(main, users)["coverage"],
        "interval_width_octaves": coverage(main, users)["width_octaves"],
        "flag_sensitivity": flags(main, users)["sensitivity"],
        "flag_false_alarm": flags(main, users)["false_alarm"],
        "abstained_tissue": round(float(np.mean([bool(answer.reason) for answer in home])), 4),
    }
    tables = {
        "tile": tiles,
        "octaves": {str(octave): slide_figures(members) for octave, members in by_octave(home).items()},
        "scanners": by_group(main, lambda answer: answer.scanner),
        "organs": by_group(main, lambda answer: answer.organ),
        "scanner_out": {
            split: {str(o): slide_figures(m) for o, m in by_octave(answers).items()}
            for split, answers in left_out.items()
        },
        "native_20x": slide_figures_at_own_mpp(sources),
        "interval_of_home": _home_interval(folds),
    }
    return keys, tables


def home_answers(sources: list[Source], split: str) -> list[Answer]:
    """Answers of a fold's network on the cases that it never saw."""
    unseen = kept_out(split)
    return _enough(answers_of(load_split(split), slide_draws([s for s in sources if s.case in unseen])))


def scanner_answers(sources: list[Source], split: str, scanner: str) -> list[Answer]:
    """Answers of a network that never saw a scanner, on that scanner."""
    unseen = kept_out(split)
    chosen = [s for s in sources if s.case in unseen and s.scanner == scanner]
    return _enough(answers_of(load_split(split), slide_draws(chosen)))


def single_tile_figures(sources: list[Source]) -> dict[str, float]:
    """Single tiles of 224 px, each by the network of its case's fold."""
    estimates, truth = [], []
    for split in FOLDS:
        estimator = load_split(split)
        unseen = kept_out(split)
        chosen = [(number, source) for number, source in enumerate(sources) if source.case in unseen]
        features, target, _ = tile_features(chosen, estimator)
        estimates.append(estimator.regressor.predict_tiles(features).log2_mpp)
        truth.append(target)
    return tile_figures(np.concatenate(estimates), np.concatenate(truth))


def slide_figures_at_own_mpp(sources: list[Source]) -> dict[str, float]:
    """Slides scanned at 20x, at their own mpp."""
    native = [s for s in sources if 0.48 <= s.mpp <= 0.52]
    answers = []
    for split in FOLDS:
        chosen = [s for s in native if s.case in kept_out(split)]
        answers += answers_of(load_split(split), image_draws(chosen)) if chosen else []
    return error_figures(answers)


def _home_interval(folds: dict[str, list[Answer]]) -> dict[str, float]:
    """Calibrate the interval at home: each fold's by the scores of the others."""
    rows = []
    for split, answers in folds.items():
        scores = [a.score for other, members in folds.items() if other != split for a in _main(members)]
        rows.append(coverage(_main(answers), scores))
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def _enough(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.views >= LEAST_VIEWS and np.isfinite(answer.log2_mpp)]


def _main(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.octave < MAIN_UP_TO]


def _median(answers: list[Answer]) -> float:
    return round(octave_mean(_main(answers), "median"), 4)
