"""Stains other than haematoxylin and eosin: slides of cases that a network never saw, and drawn reactions."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.magnification.draws import SEED, image_draws
from benchmarks.magnification.estimators import FOLDS, answers_of
from benchmarks.magnification.figures import Answer, error_figures, wrong_and_confident
from benchmarks.magnification.home import MAIN_UP_TO, home_answers
from benchmarks.sources import TRAINED_ON, Source, read_crops, read_sources
from wsi_scale.learning.estimator import Estimator
from wsi_scale.magnification.immunostain import draw_positivity
from wsi_scale.magnification.stain import HAEMATOXYLIN_EOSIN

#: How the tables call immunohistochemistry and in-situ hybridisation with a chromogen.
IMMUNOSTAINS = ("IHC", "CISH")
#: Coarsest tissue that is drawn into, µm per pixel.
DRAWN_UP_TO = 1.0
DRAWN = "IHC, drawn"


@dataclass(frozen=True)
class DrawnSource(Source):
    """A field of H&E into which immunohistochemistry is drawn."""

    def pixels(self) -> NDArray[np.uint8]:
        """Draw the reaction, the same each time."""
        rng = np.random.default_rng((SEED, zlib.crc32(self.path.name.encode())))
        return draw_positivity(super().pixels(), self.mpp, rng)

    @property
    def identity(self) -> list[Any]:
        """As a source's; what is drawn is part of it."""
        return [*super().identity, DRAWN]


def measure(root: Path, estimator: Estimator, scores: Sequence[float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure each stain by the folds' networks, and by the shipped one on images of other laboratories.

    Parameters
    ----------
    scores
        That the interval is calibrated on.
    """
    sources = read_crops(root, TRAINED_ON, stain=None)
    drawn = [drawn_from(source) for source in read_crops(root, TRAINED_ON) if source.mpp <= DRAWN_UP_TO]
    answers = [answer for split in FOLDS for answer in unseen_answers([*sources, *drawn], split)]
    other = [s for s in read_sources(root / "tissue_other" / "crops.tsv") if s.mpp <= MAIN_UP_TO]
    answers += answers_of(estimator, image_draws(other))
    real = [answer for answer in answers if answer.stain != DRAWN]
    rows = {kind: _row([a for a in answers if _kind(a.stain) == kind], scores) for kind in _kinds(answers)}
    stains = sorted({answer.stain for answer in answers})
    by_stain = {stain: _row([a for a in answers if a.stain == stain], scores) for stain in stains}
    keys = {
        "ihc_median_octaves": rows["IHC"]["median_octaves"],
        "wrong_and_confident": wrong_and_confident(real, scores),
    }
    return keys, {"kinds": rows, "stains": by_stain}


def drawn_from(source: Source) -> DrawnSource:
    """Make the source's immunohistochemical double."""
    return DrawnSource(**vars(replace(source, stain=DRAWN)))


def unseen_answers(sources: list[Source], split: str) -> list[Answer]:
    """Answers of a fold's network on the slides of cases that it never saw, up to 2 µm/px."""
    return [answer for answer in home_answers(sources, split) if answer.octave < MAIN_UP_TO]


def _kinds(answers: Sequence[Answer]) -> list[str]:
    return sorted({_kind(answer.stain) for answer in answers})


def _kind(stain: str) -> str:
    if stain == DRAWN:
        return DRAWN
    if stain.startswith(HAEMATOXYLIN_EOSIN):
        return HAEMATOXYLIN_EOSIN
    return "IHC" if any(word in stain for word in IMMUNOSTAINS) else "special stains"


def _row(answers: Sequence[Answer], scores: Sequence[float]) -> dict[str, Any]:
    """Accuracy of all answers, abstentions, and answers that are confident and wrong."""
    return {
        **error_figures(answers),
        "abstained": round(float(np.mean([bool(answer.reason) for answer in answers])), 4),
        "cases": len({answer.case for answer in answers}),
        "wrong_and_confident": wrong_and_confident(answers, scores),
    }
