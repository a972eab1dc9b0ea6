"""Stage `predict`: a slide's pixels → its µm per pixel, whatever the header says."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from wsi_scale.artifacts.prediction import DARK_BACKGROUND, Prediction, write_prediction
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.regressor import shipped_regressor
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.config.settings import PredictSettings
from wsi_scale.errors import ArtifactError
from wsi_scale.learning.estimator import Estimator, read_estimator
from wsi_scale.magnification.estimate import Estimate, Views, estimate_views
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide
from wsi_scale.stages.hardware import compute_of, parameters_of, settle
from wsi_scale.stages.job import Outcome, Prepared, SlideJob, Stage, known_identity, run_stage
from wsi_scale.stages.views import is_brightfield, views_of

SPEC = SLIDE_STAGES["predict"]


def predict(job: SlideJob, settings: PredictSettings, regressor: Path | None = None) -> Record:
    """Estimate a slide's µm per pixel from its pixels.

    Parameters
    ----------
    regressor
        By default the configuration's, else the one that the package carries.
    """
    chosen = regressor or settings.regressor or shipped_regressor()

    def prepare(state: FolderState) -> Prepared:
        # In another dtype the features would not be those that a regressor was fitted on.
        execution = settle(job, settings.execution, state).model_copy(update={"dtype": "float32"})

        def work(_: str) -> Outcome:
            compute_of(execution)
            estimator = read_estimator(execution, chosen)
            with open_slide(job.row.path) as slide:
                prediction = prediction_of(estimate_slide(slide, estimator, settings, job.group))
            write_prediction(job.folder, prediction)
            return Outcome("ok", "" if prediction.is_brightfield else prediction.reason)

        computed = {key: value for key, value in parameters_of(execution).items() if key != "block_tiles"}
        depends_on = {"group": job.group, "regressor": known_identity(state, chosen), "execution": computed}
        return Prepared(depends_on, work)

    return run_stage(job, Stage(SPEC, settings, prepare))


def estimate_slide(slide: Slide, estimator: Estimator, settings: PredictSettings, group: str | None) -> Estimate:
    """Look at a slide at several downsamples and pool what they say of level 0; its header plays no part.

    Parameters
    ----------
    group
        The answer comes from the model that never saw this group; None for slides of no cohort.

    Raises
    ------
    RegionError
        More of the slide cannot be decoded than the settings allow.
    ArtifactError
        The regressor has no interval.
    """
    rng = np.random.default_rng(settings.seed)
    views = (
        Views(downsample, estimator.features(images), centres)
        for downsample, images, centres in views_of(slide, settings.tiles_per_slide, rng, settings.unreadable_share)
    )
    estimate = estimate_views(estimator.regressor, views, settings.coverage, group)
    if not is_brightfield(slide, settings.unreadable_share):
        return replace(estimate, reason=DARK_BACKGROUND, mixed="")
    if not estimate.reason and not np.isfinite(estimate.half_width_octaves):
        raise ArtifactError("the regressor's interval is not calibrated; use one that `fit` or `prune layers` made")
    return estimate


def prediction_of(estimate: Estimate) -> Prediction:
    """Put an estimate into the form that is stored and shown."""
    pooled = estimate.pooled
    mpp = low = high = None
    if not estimate.reason:
        octaves = estimate.half_width_octaves
        mpp, low, high = (round(2 ** (pooled.log2_mpp + sign * octaves), 4) for sign in (0, -1, 1))
    return Prediction(
        mpp=mpp,
        mpp_low=low,
        mpp_high=high,
        status="abstained" if estimate.reason else "ok",
        reason=estimate.reason,
        views=pooled.views,
        by_downsample={str(d): round(2**value, 4) for d, value in pooled.by_downsample.items()},
        mixed=estimate.mixed,
    )
