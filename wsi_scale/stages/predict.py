"""Stage `predict`: a slide's pixels → its µm per pixel, whatever the header says."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.prediction import DARK_BACKGROUND, Prediction, read_prediction, write_prediction
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.slide_info import read_slide_info, write_slide_info
from wsi_scale.config.models import Config, MagnificationConfig
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.compute import resolve
from wsi_scale.magnification.estimate import Estimate, Views, estimate_views
from wsi_scale.slides.metadata import SlideInfo, inspect_slide, with_estimated_mpp
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide
from wsi_scale.stages.job import Outcome, SlideJob, Stage, run_stage
from wsi_scale.stages.regressors import Estimator, load_estimator
from wsi_scale.stages.views import is_brightfield, views_of


def predict(job: SlideJob, config: Config, regressor: Path) -> Record:
    """Estimate a slide's µm per pixel from its pixels."""

    def depends() -> str:
        settings = {
            "tiles": config.magnification.tiles_per_slide,
            "coverage": config.magnification.coverage,
            "seed": config.magnification.seed,
            "device": resolve(config.execution).device,
            "unreadable_share": config.slides.unreadable_share,
        }
        return fingerprint(
            "predict", slide=job.identity(), path=str(job.row.path), group=job.group,
            regressor=file_identity(regressor), settings=settings,
        )  # fmt: skip

    def current(print_: str) -> Outcome | None:
        try:
            stored = read_prediction(job.folder)
        except ArtifactError:  # damaged since: made anew
            return None
        if stored is None or stored.fingerprint != print_:
            return None
        _settle_mpp(job, config, stored)
        return _outcome(stored)

    def work(print_: str) -> Outcome:
        estimator = load_estimator(config, regressor)
        with open_slide(job.row.path) as slide:
            estimate = estimate_slide(slide, estimator, config.magnification, job.group, config.slides.unreadable_share)
        prediction = prediction_of(estimate, str(job.row.path), print_)
        write_prediction(job.folder, prediction)
        _settle_mpp(job, config, prediction)
        return _outcome(prediction)

    return run_stage(job, Stage("predict", ("inspect",), depends, current, work))


def _outcome(prediction: Prediction) -> Outcome:
    return Outcome("ok", "" if prediction.is_brightfield else prediction.reason)


def _settle_mpp(job: SlideJob, config: Config, prediction: Prediction) -> None:
    """Where the configuration says so, let an estimate stand in for an mpp that a slide does not usably have."""
    stored = SlideInfo.from_dict(read_slide_info(job.folder))
    # An earlier estimate is no claim: what the slide itself says is read again.
    earlier = stored.mpp_source == "estimated"
    info = inspect_slide(job.row.path, job.row.slide_id, job.row.mpp) if earlier else stored
    if config.slides.mpp == "estimate" and info.usable_mpp is None and prediction.estimate is not None:
        info = with_estimated_mpp(info, prediction.estimate)
    if info != stored:
        write_slide_info(job.folder, info.as_dict())


def estimate_slide(
    slide: Slide,
    estimator: Estimator,
    settings: MagnificationConfig,
    group: str | None,
    most_unreadable: float = 0.01,
) -> Estimate:
    """Look at a slide at several downsamples and pool what they say of level 0; its header plays no part.

    Parameters
    ----------
    group
        The answer comes from the model that never saw this group; None for slides of no cohort.
    most_unreadable
        Share of the slide that may be impossible to decode, 0–1.

    Raises
    ------
    RegionError
        More of the slide cannot be decoded.
    ArtifactError
        The regressor has no interval.
    """
    rng = np.random.default_rng(settings.seed)
    views = (
        Views(downsample, estimator.features(images), centres)
        for downsample, images, centres in views_of(slide, settings.tiles_per_slide, rng, most_unreadable)
    )
    estimate = estimate_views(estimator.regressor, views, settings.coverage, group)
    if not is_brightfield(slide, most_unreadable):
        return replace(estimate, reason=DARK_BACKGROUND, mixed="")
    if not estimate.reason and not np.isfinite(estimate.half_width_octaves):
        raise ArtifactError("the regressor's interval is not calibrated; use one that `fit` or `prune layers` made")
    return estimate


def prediction_of(estimate: Estimate, path: str, print_: str = "") -> Prediction:
    """Put an estimate into the form that is stored and shown."""
    pooled = estimate.pooled
    mpp = low = high = None
    if not estimate.reason:
        octaves = estimate.half_width_octaves
        mpp, low, high = (round(2 ** (pooled.log2_mpp + sign * octaves), 4) for sign in (0, -1, 1))
    return Prediction(
        path=path,
        mpp=mpp,
        mpp_low=low,
        mpp_high=high,
        status="abstained" if estimate.reason else "ok",
        reason=estimate.reason,
        views=pooled.views,
        by_downsample={str(d): round(2**value, 4) for d, value in pooled.by_downsample.items()},
        mixed=estimate.mixed,
        fingerprint=print_,
    )
