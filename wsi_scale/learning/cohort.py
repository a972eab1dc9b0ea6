"""A cohort's regressor of µm per pixel: tiles of its slides, the fit, and slides whose claim stands apart."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wsi_scale.learning.estimator import Estimator
from wsi_scale.learning.interval_scores import SlideTiles, error_octaves, interval_scores, out_of_fold_answers
from wsi_scale.magnification.augment import Augmentation, disguise
from wsi_scale.magnification.cohort_claims import judge_claims
from wsi_scale.magnification.pooling import ANSWERED_MPP
from wsi_scale.magnification.regressor import Regressor, fit_cohort
from wsi_scale.slides.field import read_field
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.views import VIEW_PX, fields_at, tissue_positions, view_thumbnail

log = logging.getLogger(__name__)

#: With fewer groups the prior's errors stay among the cohort's: of n < 9 errors there is no ⌈(n + 1) · 0.9⌉-th, and the
#: largest alone would decide how wide a 90 % interval is.
OWN_INTERVAL_GROUPS = 9
#: Largest mpp of a training tile, µm/px.
COARSEST_TILE_MPP = 4.0


@dataclass(frozen=True)
class KnownSlide:
    """Name, group and trusted µm per pixel (level 0) of a slide to learn from."""

    slide_id: str
    group: str
    mpp: float


def training_tiles(
    slide: Slide, known: KnownSlide, count: int, prior: Estimator, rng: np.random.Generator
) -> SlideTiles:
    """Tiles of one slide, re-read at mpp drawn log-uniformly from its own to 4 µm/px; glass gives none.

    Parameters
    ----------
    count
        Tiles at most.
    prior
        Its network gives the features.
    """
    images, truth = [], []
    positions = tissue_positions(view_thumbnail(slide))
    # At the coarsest, four tiles (two by two) must fit.
    coarsest = min(COARSEST_TILE_MPP, min(slide.width, slide.height) * known.mpp / (2 * VIEW_PX))
    finest = max(known.mpp, ANSWERED_MPP[0])
    for _ in range(count if coarsest > finest else 0):
        mpp = float(np.exp(rng.uniform(np.log(finest), np.log(coarsest))))
        for field in fields_at(slide, positions, VIEW_PX * mpp / known.mpp, 1, rng):
            tile = read_field(slide, field, (VIEW_PX, VIEW_PX))
            images.append(disguise(tile, rng, Augmentation()))
            truth.append(np.log2(mpp))
    features = prior.features(np.stack(images)) if images else np.zeros((0, len(prior.regressor.head.mean)))
    return SlideTiles(known.slide_id, known.group, known.mpp, features, np.array(truth))


def without_outliers(slides: Sequence[SlideTiles], prior: Regressor, coverage: float) -> tuple[list[SlideTiles], float]:
    """Leave out slides whose claims are in doubt as the prior reads them, each with a warning.

    That is a claim that stands apart from the others, and claims that differ alike from the others. An error that all
    share is taken for the prior's, with a warning if it is larger than laboratories have.

    Returns
    -------
    slides, shared_octaves
        What is left, and log2 of the prior's estimates over the claims that they have in common; 0 if too few.
    """
    own = [next(iter(out_of_fold_answers(prior, slide)), None) for slide in slides]
    errors = np.array([error_octaves(answer) if answer else np.nan for answer in own])
    halves = np.array([prior.half_width(a["difficulty_octaves"], coverage) if a else np.nan for a in own])
    found = judge_claims(errors, halves)
    if found is None:
        return list(slides), 0.0
    if found.all_off:
        log.warning(
            "the pixels of all slides are about %.2g times as large as they claim; the claims are believed, "
            "but compare a scale bar of a slide with its nuclei",
            2**found.shift_octaves,
        )
    apart = found.differing
    for slide, answer, is_apart in zip(slides, own, apart, strict=True):
        if answer and is_apart:
            log.warning(
                "%s is not used for fitting: it claims %.4g µm/px, but its pixels give %.3g",
                slide.slide_id, slide.mpp, answer["predicted_mpp"],
            )  # fmt: skip
    return [slide for slide, is_apart in zip(slides, apart, strict=True) if not is_apart], found.shift_octaves


def fit_tiles(slides: Sequence[SlideTiles], prior: Regressor) -> tuple[Regressor, dict[str, Any]]:
    """Correct the prior on a cohort's tiles, and calibrate the interval on slides that each model never saw.

    Returns
    -------
    regressor, training
        The training says what it was fitted on: ``answers`` (out of fold), ``tiles`` and ``groups``.
    """
    draft = fit_cohort(
        prior,
        np.concatenate([slide.features for slide in slides]),
        np.concatenate([slide.log2_mpp for slide in slides]),
        [slide.group for slide in slides for _ in slide.log2_mpp],
    )
    answers = [answer for slide in slides for answer in out_of_fold_answers(draft, slide)]
    scores = interval_scores(answers)
    folds = np.array([draft.fold_of[a["group"]] for a in answers])
    tiles, groups = sum(len(slide.log2_mpp) for slide in slides), len(draft.fold_of)
    if groups < OWN_INTERVAL_GROUPS:
        scores, folds = np.append(scores, prior.scores), np.append(folds, np.zeros(len(prior.scores), np.int64))
    return replace(draft, scores=scores, score_folds=folds), {"answers": answers, "tiles": tiles, "groups": groups}
