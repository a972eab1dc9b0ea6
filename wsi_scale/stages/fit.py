"""Stage `fit`: slides whose mpp is trusted → a cohort's regressor of µm per pixel."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.record import read_record, record_path
from wsi_scale.artifacts.regressor import (
    read_regressor,
    regressor_fingerprint,
    shipped_regressor,
    write_regressor,
)
from wsi_scale.artifacts.stages import COHORT_STAGES
from wsi_scale.config.settings import FitSettings
from wsi_scale.errors import ArtifactError, SlideError
from wsi_scale.execution.progress import progress
from wsi_scale.learning.estimator import Estimator, read_estimator, stored_form
from wsi_scale.magnification.augment import Augmentation, disguise
from wsi_scale.magnification.pooling import ANSWERED_MPP, pool_views
from wsi_scale.magnification.regressor import Regressor, fit_cohort
from wsi_scale.magnification.verdict import stands_apart
from wsi_scale.slides.field import read_field
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.open import open_slide
from wsi_scale.stages.hardware import compute_of, settle_in
from wsi_scale.stages.inspect import read_info
from wsi_scale.stages.job import SlideJob, guarded
from wsi_scale.stages.views import DOWNSAMPLES, VIEW_PX, fields_at, is_brightfield, tissue_positions

log = logging.getLogger(__name__)

SPEC = COHORT_STAGES["fit"]

#: A cohort with fewer groups of trusted mpp fits nothing.
MIN_GROUPS = 5
#: With fewer groups the prior's errors stay among the cohort's: of n < 9 errors there is no ⌈(n + 1) · 0.9⌉-th, and the
#: largest alone would decide how wide a 90 % interval is.
OWN_INTERVAL_GROUPS = 9
#: Slides coarser than this (µm/px) are not fitted on.
COARSEST_TRUSTED_MPP = 2.0
#: Fewer views than this make no answer that an interval could be calibrated on.
LEAST_VIEWS = 4
#: Largest mpp of a training tile, µm/px.
COARSEST_TILE_MPP = 4.0


_Found = TypeVar("_Found")


@dataclass(frozen=True)
class TrustedSlide:
    """A slide to learn from: its job, what it says of itself, and the identity of its content."""

    job: SlideJob
    info: SlideInfo
    identity: str


@dataclass(frozen=True)
class SlideTiles:
    """Training tiles of one slide.

    Attributes
    ----------
    slide_id, group, mpp
        Of the slide; µm per pixel of its level 0.
    features, log2_mpp
        (tile, feature), (tile,).
    """

    slide_id: str
    group: str
    mpp: float
    features: NDArray[np.float64]
    log2_mpp: NDArray[np.float64]


def fit(jobs: Sequence[SlideJob], settings: FitSettings, target: Path) -> Path:
    """Fit the cohort's regressor, or put the shipped one in its place where too few slides can be trusted.

    A slide that cannot be read, or whose claim stands apart from what the pixels of all look like, is left out, with
    a warning: calibrated on one wrong header among few, nobody's interval would be of use. Only the slides that may
    be fitted on enter the fingerprint: another bad slide recomputes nothing.

    Raises
    ------
    ArtifactError
        No slide was inspected; a regressor cannot be read or written.
    """
    if settings.regressor is not None:
        return _copy(settings.regressor, target)
    if not any(record_path(job.folder, "inspect").exists() for job in jobs):
        raise ArtifactError(f"{target.parent}: `fit` needs `wsi-scale inspect SLIDE -o FOLDER` of each slide first")
    trusted = [found for job in jobs if (found := _or_warned(job, partial(_trusted, job))) is not None]
    if len({slide.job.group for slide in trusted}) < MIN_GROUPS:
        return _copy(shipped_regressor(), target)
    execution = settle_in(target.parent, settings.execution).model_copy(update={"dtype": "float32"})
    compute_of(execution)
    prior = read_estimator(execution, shipped_regressor())
    print_ = fingerprint(
        SPEC.name, SPEC.version,
        slides=[(s.identity, s.job.row.slide_id, s.job.group, s.info.usable_mpp) for s in trusted],
        prior=file_identity(shipped_regressor()),
        settings=settings.by_value(), device=execution.device,
    )  # fmt: skip
    if regressor_fingerprint(target) == print_:
        return target
    examples = _believable(_read_examples(trusted, settings, prior), prior.regressor, settings.coverage)
    if len({slide.group for slide in examples}) < MIN_GROUPS:
        return _copy(shipped_regressor(), target)
    regressor, training = fit_tiles(examples, prior.regressor)
    header = dict(read_regressor(shipped_regressor()).header) | {
        "fingerprint": print_,
        "source": "cohort",
        "coverage": settings.coverage,
        "training": training,
    }
    write_regressor(target, stored_form(regressor, header))
    return target


def _believable(examples: Sequence[SlideTiles], prior: Regressor, coverage: float) -> list[SlideTiles]:
    """Leave out slides whose claim stands apart from the others', as the prior reads them; each with a warning."""
    own = [next(iter(out_of_fold_answers(prior, slide)), None) for slide in examples]
    errors = np.array([np.log2(a["predicted_mpp"] / a["true_mpp"]) if a else np.nan for a in own])
    halves = np.array([prior.half_width(a["difficulty_octaves"], coverage) if a else np.nan for a in own])
    apart = stands_apart(errors, halves)
    for slide, answer, is_apart in zip(examples, own, apart, strict=True):
        if answer and is_apart:
            log.warning(
                "%s is not fitted on: it claims %.4g µm/px, and its pixels look like %.3g",
                slide.slide_id, slide.mpp, answer["predicted_mpp"],
            )  # fmt: skip
    return [slide for slide, is_apart in zip(examples, apart, strict=True) if not is_apart]


def fit_tiles(examples: Sequence[SlideTiles], prior: Regressor) -> tuple[Regressor, dict[str, Any]]:
    """Bend the prior on tiles, and calibrate the interval on slides that each model never saw."""
    draft = fit_cohort(
        prior,
        np.concatenate([slide.features for slide in examples]),
        np.concatenate([slide.log2_mpp for slide in examples]),
        [slide.group for slide in examples for _ in slide.log2_mpp],
    )
    answers = [answer for slide in examples for answer in out_of_fold_answers(draft, slide)]
    scores = np.array([abs(np.log2(a["predicted_mpp"] / a["true_mpp"])) / a["difficulty_octaves"] for a in answers])
    folds = np.array([draft.fold_of[a["group"]] for a in answers])
    tiles, groups = sum(len(slide.log2_mpp) for slide in examples), len(draft.fold_of)
    if groups < OWN_INTERVAL_GROUPS:
        scores, folds = np.append(scores, prior.scores), np.append(folds, np.zeros(len(prior.scores), np.int64))
    return replace(draft, scores=scores, score_folds=folds), {"answers": answers, "tiles": tiles, "groups": groups}


def out_of_fold_answers(regressor: Regressor, slide: SlideTiles) -> list[dict[str, Any]]:
    """Estimates of a slide's own mpp, and of twice, four times … as much, by the model that never saw its group.

    The slide stands for one that was scanned at the coarser mpp: only tiles that such a slide could show count,
    each as a view at its downsample.
    """
    tiles = regressor.predict_tiles(slide.features, slide.group)
    answers = []
    for level in range(len(DOWNSAMPLES)):
        base = np.log2(slide.mpp) + level
        seen = slide.log2_mpp >= base - 1e-9
        if seen.sum() < LEAST_VIEWS or base > np.log2(ANSWERED_MPP[1]):
            break
        pooled = pool_views(tiles[seen], 2 ** (slide.log2_mpp[seen] - base))
        answers.append(
            {
                "slide_id": slide.slide_id,
                "group": slide.group,
                "true_mpp": round(float(2**base), 4),
                "predicted_mpp": round(2**pooled.log2_mpp, 4),
                "difficulty_octaves": round(pooled.difficulty_octaves, 4),
                "tiles": pooled.views,
            }
        )
    return answers


def _copy(source: Path, target: Path) -> Path:
    read_regressor(source)
    if not (target.exists() and target.read_bytes() == source.read_bytes()):
        with replacing_file(target) as part:
            shutil.copyfile(source, part)
    return target


def _or_warned(job: SlideJob, work: Callable[[], _Found | None]) -> _Found | None:
    """Do something with one slide; where it fails, warn that the slide is left out."""

    def failed(reason: str) -> None:
        log.warning("%s is not fitted on: %s", job.row.slide_id, reason)

    return guarded(f"{job.row.slide_id}: fit", work, failed)


def _trusted(job: SlideJob) -> TrustedSlide | None:
    """Look whether a slide is one to learn from.

    Raises
    ------
    SlideError, ArtifactError
        It cannot be read, or was not inspected.
    """
    record = read_record(job.folder, "inspect")
    if record is not None and record.status == "failed":
        raise SlideError(record.reason)
    info = read_info(job)
    usable = info.usable_mpp
    if not info.trusted or usable is None or max(usable) > COARSEST_TRUSTED_MPP:
        return None
    identity = job.identity()
    with open_slide(job.row.path) as slide:
        return TrustedSlide(job, info, identity) if is_brightfield(slide) else None


def _read_examples(trusted: Sequence[TrustedSlide], settings: FitSettings, prior: Estimator) -> list[SlideTiles]:
    examples = []
    with progress("fit", len(trusted), unit="slides") as advance:
        for number, slide in enumerate(trusted):
            rng = np.random.default_rng((settings.seed, number))
            found = _or_warned(slide.job, partial(_slide_examples, slide.job, slide.info, settings, prior, rng))
            examples += [found] if found is not None and len(found.log2_mpp) else []
            advance(1)
    return examples


def _slide_examples(
    job: SlideJob, info: SlideInfo, settings: FitSettings, prior: Estimator, rng: np.random.Generator
) -> SlideTiles:
    """Tiles of one slide, re-read at mpp drawn log-uniformly from its own to 4 µm/px; glass gives none."""
    own = float(np.mean(info.usable_mpp or (np.nan,)))
    images, truth = [], []
    with open_slide(job.row.path) as slide:
        positions = tissue_positions(slide)
        # At the coarsest, four tiles (two by two) must fit.
        coarsest = min(COARSEST_TILE_MPP, min(slide.width, slide.height) * own / (2 * VIEW_PX))
        finest = max(own, ANSWERED_MPP[0])
        for _ in range(settings.fit_tiles_per_slide if coarsest > finest else 0):
            mpp = float(np.exp(rng.uniform(np.log(finest), np.log(coarsest))))
            for field in fields_at(slide, positions, VIEW_PX * mpp / own, 1, rng):
                tile = read_field(slide, field, (VIEW_PX, VIEW_PX))
                images.append(disguise(tile, rng, Augmentation()))
                truth.append(np.log2(mpp))
    features = prior.features(np.stack(images)) if images else np.zeros((0, len(prior.regressor.head.mean)))
    return SlideTiles(job.row.slide_id, job.group, own, features, np.array(truth))
