"""Stage `predict`: a slide's pixels → its µm per pixel, whatever the header says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.fingerprint import file_identity, fingerprint
from wsi_scale.artifacts.prediction import Prediction, read_prediction, write_prediction
from wsi_scale.artifacts.record import Record
from wsi_scale.artifacts.regressor import RegressorFile, read_regressor
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.magnification.pooling import pool_views, why_abstain
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.slides.field import read_field
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Slide
from wsi_scale.stages.job import Outcome, SlideJob, Stage, run_stage
from wsi_scale.stages.views import (
    fields_at,
    is_brightfield,
    regressor_network,
    tissue_positions,
    view_features,
    view_px,
)

#: Downsamples of level 0 that a slide is looked at.
DOWNSAMPLES = (1, 2, 4, 8)


def predict(job: SlideJob, config: Config, regressor: Path) -> Record:
    """Estimate a slide's µm per pixel from its pixels."""

    def depends() -> str:
        settings = {
            "tiles": config.magnification.tiles_per_slide,
            "seed": config.magnification.seed,
            "device": resolve(config.execution).device,
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
        return Outcome() if stored is not None and stored.fingerprint == print_ else None

    def work(print_: str) -> Outcome:
        with open_slide(job.row.path) as slide:
            answer = predict_slide(slide, config, read_regressor(regressor), job.group)
        write_prediction(job.folder, answer(str(job.row.path), print_))
        return Outcome()

    return run_stage(job, Stage("predict", ("inspect",), depends, current, work))


def predict_slide(
    slide: Slide, config: Config, stored: RegressorFile, group: str | None
) -> Callable[[str, str], Prediction]:
    """Look at a slide at several downsamples and pool what they say of level 0.

    Returns
    -------
    answer
        Path and fingerprint → prediction.
    """
    compute = resolve(config.execution.model_copy(update={"dtype": "float32"}))
    regressor = regressor_of(stored, compute)
    log2_mpp, downsamples = _views(slide, regressor, config, compute, group)
    pooled = pool_views(log2_mpp, downsamples)
    reason = why_abstain(pooled) if is_brightfield(slide) else "dark background: no brightfield tissue"
    half = regressor.half_width(group)
    by_downsample = {str(d): round(2**value, 4) for d, value in pooled.by_downsample.items()}

    def answer(path: str, print_: str) -> Prediction:
        if reason:
            return Prediction(path, None, None, None, "abstained", reason, pooled.views, by_downsample, print_)
        mpp, low, high = (round(2 ** (pooled.log2_mpp + sign * half), 4) for sign in (0, -1, 1))
        return Prediction(path, mpp, low, high, "ok", "", pooled.views, by_downsample, print_)

    return answer


def regressor_of(stored: RegressorFile, compute: Compute) -> Regressor:
    """Rebuild a stored regressor, checked to belong to the embedded network at hand.

    Raises
    ------
    ArtifactError
        It was fitted on features of another network.
    """
    header = stored.header
    if header["network_digest"] != regressor_network(compute).digest:
        raise ArtifactError("the regressor was fitted on another version of the embedded network; fit it again")
    return Regressor(
        **stored.arrays,
        fold_of=header["fold_of"],
        half_width_octaves=header["half_width_octaves"],
        half_width_of=header.get("half_width_of", {}),
    )


def _views(
    slide: Slide, regressor: Regressor, config: Config, compute: Compute, group: str | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(config.magnification.seed)
    positions = tissue_positions(slide)
    side = view_px(slide)
    answers, downsamples = [np.zeros(0)], [np.zeros(0, np.int64)]
    for downsample in DOWNSAMPLES if side else ():
        fields = fields_at(slide, positions, side * downsample, config.magnification.tiles_per_slide, rng)
        if fields:
            images = np.stack([read_field(slide, field, (side, side)) for field in fields])
            answers.append(regressor.predict(view_features(images, compute), group))
            downsamples.append(np.full(len(fields), downsample))
    return np.concatenate(answers), np.concatenate(downsamples)
