"""A slide's pixels → its µm per pixel, without using the header."""

from dataclasses import replace

import numpy as np

from wsi_scale.config.settings import PredictSettings
from wsi_scale.errors import ArtifactError
from wsi_scale.learning.estimator import Estimator
from wsi_scale.magnification.estimate import Estimate, Views, estimate_views
from wsi_scale.magnification.stain import absorbed_light
from wsi_scale.results.prediction import DARK_BACKGROUND, Prediction
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import Thumbnail, shows_brightfield
from wsi_scale.slides.views import view_thumbnail, views_of


def estimate_mpp(
    slide: Slide,
    estimator: Estimator,
    settings: PredictSettings,
    group: str | None = None,
    thumbnail: Thumbnail | None = None,
) -> Prediction:
    """Estimate level 0 from views of a slide at several downsamples; its header is not used.

    Parameters
    ----------
    group
        The estimate comes from the model that never saw this group; None for slides of no cohort.
    thumbnail
        As :func:`wsi_scale.slides.views.view_thumbnail` reads it; by default it is read here.

    Raises
    ------
    RegionError
        More of the slide cannot be decoded than the settings allow.
    ArtifactError
        The regressor has no interval.
    """
    rng = np.random.default_rng(settings.seed)
    seen = view_thumbnail(slide, settings.unreadable_share) if thumbnail is None else thumbnail
    views = (
        Views(downsample, estimator.features(images), centres, absorbed_light(images))
        for downsample, images, centres in views_of(slide, settings.tiles_per_slide, rng, seen)
    )
    estimate = estimate_views(estimator.regressor, views, settings.coverage, group)
    if not shows_brightfield(seen):
        return _prediction_of(replace(estimate, reason=DARK_BACKGROUND, mixed=""))
    if not estimate.reason and not np.isfinite(estimate.half_width_octaves):
        raise ArtifactError("the regressor's interval is not calibrated; use one that `fit` or `prune layers` made")
    return _prediction_of(estimate)


def _prediction_of(estimate: Estimate) -> Prediction:
    """Convert an estimate to the form that is stored and shown."""
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
