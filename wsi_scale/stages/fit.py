"""Stage `fit`: slides whose mpp is trusted → a cohort's regressor of µm per pixel."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

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
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.execution.compute import default_workers
from wsi_scale.execution.guard import guarded
from wsi_scale.execution.progress import progress
from wsi_scale.execution.settled import compute_of
from wsi_scale.jobs.current import current_info
from wsi_scale.jobs.hardware import settle_in
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.timing import timed_cohort
from wsi_scale.learning.cohort import KnownSlide, fit_tiles, training_tiles, without_outliers
from wsi_scale.learning.estimator import Estimator, read_estimator, stored_form
from wsi_scale.learning.interval_scores import SlideTiles
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.views import is_brightfield

log = logging.getLogger(__name__)

SPEC = COHORT_STAGES["fit"]

#: A cohort with fewer groups of trusted mpp fits nothing.
MIN_GROUPS = 5
#: Most slides that are fitted on: a regressor gains little from more, and each costs seconds.
MOST_SLIDES = 128
#: Slides coarser than this (µm/px) are not fitted on.
COARSEST_TRUSTED_MPP = 2.0


_Found = TypeVar("_Found")


@dataclass(frozen=True)
class TrustedSlide:
    """A slide used for fitting: its job, its metadata, and the identity of its content."""

    job: SlideJob
    info: SlideInfo
    identity: str


def fit(jobs: Sequence[SlideJob], settings: FitSettings, target: Path) -> Path:
    """Fit the cohort's regressor, or copy the shipped one if too few slides have a trusted mpp.

    A slide that cannot be read, or whose claim is an outlier against the estimates of all slides, is left out, with a
    warning: one wrong header among few would make all intervals too wide. Only the slides that can be used enter the
    fingerprint: another bad slide recomputes nothing.

    Raises
    ------
    ArtifactError
        No slide was inspected; a regressor cannot be read or written.
    """
    before = regressor_fingerprint(target)
    with timed_cohort(SPEC.name, target.parent) as clock:
        path = _fit(jobs, settings, target)
        after = regressor_fingerprint(path) or ""
        clock.how = "up to date" if after == before else "computed"
        clock.ended = ("ok", after)
    return path


def _fit(jobs: Sequence[SlideJob], settings: FitSettings, target: Path) -> Path:
    if settings.regressor is not None:
        return _copy(settings.regressor, target)
    if not any(record_path(job.folder, "inspect").exists() for job in jobs):
        raise ArtifactError(f"{target.parent}: `fit` needs `wsi-scale inspect SLIDE -o FOLDER` of each slide first")
    trusted = slides_to_fit(jobs)
    if len({slide.job.group for slide in trusted}) < MIN_GROUPS:
        return _copy(shipped_regressor(), target)
    execution = settle_in(target.parent, settings.execution).model_copy(update={"dtype": "float32"})
    compute = compute_of(execution)
    prior = read_estimator(compute, shipped_regressor())
    print_ = fingerprint(
        SPEC.name, SPEC.version,
        slides=[(s.identity, s.job.row.slide_id, s.job.group, s.info.usable_mpp) for s in trusted],
        prior=file_identity(shipped_regressor()),
        settings=settings.by_value(), device=execution.device_kind,
    )  # fmt: skip
    if regressor_fingerprint(target) == print_:
        return target
    every = _read_tiles(trusted, settings, prior, default_workers(execution, compute))
    tiles, shared = without_outliers(every, prior.regressor, settings.coverage)
    if len({slide.group for slide in tiles}) < MIN_GROUPS:
        return _copy(shipped_regressor(), target)
    regressor, training = fit_tiles(tiles, prior.regressor)
    header = dict(read_regressor(shipped_regressor()).header) | {
        "fingerprint": print_,
        "source": "cohort",
        "coverage": settings.coverage,
        "training": training | {"shared_octaves": round(shared, 3)},
    }
    write_regressor(target, stored_form(regressor, header))
    return target


def slides_to_fit(jobs: Sequence[SlideJob]) -> list[TrustedSlide]:
    """Slides whose mpp is trusted, in order; of a large cohort as many as are fitted on, in the order of a hash.

    So another slide changes the choice by one slide at most.
    """
    order = sorted(jobs, key=lambda job: fingerprint(job.row.slide_id)) if len(jobs) > MOST_SLIDES else jobs
    found = (_or_warned(job, partial(_trusted, job)) for job in order)
    chosen = list(islice((slide for slide in found if slide is not None), MOST_SLIDES))
    place = {job.row.slide_id: number for number, job in enumerate(jobs)}
    return sorted(chosen, key=lambda slide: place[slide.job.row.slide_id])


def _copy(source: Path, target: Path) -> Path:
    read_regressor(source)
    if not (target.exists() and target.read_bytes() == source.read_bytes()):
        with replacing_file(target) as part:
            shutil.copyfile(source, part)
    return target


def _or_warned(job: SlideJob, work: Callable[[], _Found | None]) -> _Found | None:
    """Do something with one slide; if it fails, warn that the slide is left out."""

    def failed(reason: str) -> None:
        log.warning("%s is not used for fitting: %s", job.row.slide_id, reason)

    return guarded(f"{job.row.slide_id}: fit", work, failed)


def _trusted(job: SlideJob) -> TrustedSlide | None:
    """Check whether a slide can be used for fitting.

    Raises
    ------
    SlideError, ArtifactError
        It cannot be read, or was not inspected.
    """
    record = read_record(job.folder, "inspect")
    if record is not None and record.status == "failed":
        raise SlideError(record.reason)
    info = current_info(job)
    usable = info.usable_mpp
    if not info.trusted or usable is None or max(usable) > COARSEST_TRUSTED_MPP:
        return None
    identity = job.identity()
    with open_slide(job.row.path) as slide:
        return TrustedSlide(job, info, identity) if is_brightfield(slide) else None


def _read_tiles(
    trusted: Sequence[TrustedSlide], settings: FitSettings, prior: Estimator, workers: int
) -> list[SlideTiles]:
    def read(number: int) -> SlideTiles | None:
        slide, rng = trusted[number], np.random.default_rng((settings.seed, number))
        return _or_warned(slide.job, partial(_slide_tiles, slide, settings, prior, rng))

    with progress("fit", len(trusted), unit="slides") as advance:
        found = map_blocks(read, range(len(trusted)), workers=workers, on_done=lambda _: advance(1))
        return [tiles for tiles in found if tiles is not None and len(tiles.log2_mpp)]


def _slide_tiles(
    trusted: TrustedSlide, settings: FitSettings, prior: Estimator, rng: np.random.Generator
) -> SlideTiles:
    job = trusted.job
    own = float(np.mean(trusted.info.usable_mpp or (np.nan,)))
    known = KnownSlide(job.row.slide_id, job.group, own)
    with open_slide(job.row.path) as slide:
        return training_tiles(slide, known, settings.fit_tiles_per_slide, prior, rng)
