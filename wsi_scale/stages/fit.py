"""Stage `fit`: slides whose mpp is trusted → a cohort's regressor of µm per pixel."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.regressor import (
    RegressorFile,
    read_regressor,
    regressor_fingerprint,
    shipped_regressor,
    write_regressor,
)
from wsi_scale.config.models import Config, MagnificationConfig
from wsi_scale.errors import SlideError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.magnification.augment import Recipe, disguise
from wsi_scale.magnification.features import REGRESSOR_LAYERS
from wsi_scale.magnification.intervals import conformal_half_width
from wsi_scale.magnification.pooling import ANSWERED_MPP
from wsi_scale.magnification.regressor import Regressor, fit_regressor
from wsi_scale.slides.field import read_field
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.open import open_slide
from wsi_scale.stages.inspect import read_info
from wsi_scale.stages.job import SlideJob
from wsi_scale.stages.predict import regressor_of
from wsi_scale.stages.views import (
    VIEW_PX,
    fields_at,
    is_brightfield,
    regressor_network,
    tissue_positions,
    view_features,
)

log = logging.getLogger(__name__)

#: A cohort with fewer groups of trusted mpp fits nothing.
MIN_GROUPS = 5
#: Slides coarser than this (µm/px) are not fitted on.
COARSEST_TRUSTED_MPP = 2.0
#: Largest mpp of a training tile, µm/px.
COARSEST_TILE_MPP = 4.0


@dataclass(frozen=True)
class Examples:
    """Training tiles: (tile, feature), (tile,) and the slide that each comes from."""

    features: NDArray[np.float64]
    log2_mpp: NDArray[np.float64]
    slide_ids: list[str]
    groups: list[str]


def fit(jobs: Sequence[SlideJob], config: Config, target: Path) -> Path:
    """Fit the cohort's regressor, or put the shipped one in its place where too few slides can be trusted.

    Only the slides that are fitted on enter the fingerprint: another bad slide recomputes nothing.
    """
    if config.magnification.regressor is not None:
        return _copy(config.magnification.regressor, target)
    trusted = [(job, info) for job in jobs if (info := _trusted_info(job)) is not None]
    if len({job.group for job, _ in trusted}) < MIN_GROUPS:
        return _copy(shipped_regressor(), target)
    settings = config.magnification
    compute = resolve(config.execution.model_copy(update={"dtype": "float32"}))
    print_ = fingerprint(
        "fit", slides=[(job.identity(), job.row.slide_id, job.group, info.usable_mpp) for job, info in trusted],
        network=regressor_network(compute).digest,
        settings=(settings.fit_tiles_per_slide, settings.coverage, settings.seed),
    )  # fmt: skip
    if regressor_fingerprint(target) == print_:
        return target
    examples = _read_examples(trusted, settings, compute)
    if len(set(examples.groups)) < MIN_GROUPS:
        return _copy(shipped_regressor(), target)
    prior = regressor_of(read_regressor(shipped_regressor()), compute)
    regressor, training = fit_examples(examples, settings.coverage, prior)
    write_regressor(target, stored_form(regressor, training, compute, "cohort", settings.coverage, print_))
    return target


def fit_examples(examples: Examples, coverage: float, prior: Regressor) -> tuple[Regressor, dict[str, Any]]:
    """Bend the prior on tiles, and calibrate the interval on slides that each model never saw."""
    draft = fit_regressor(examples.features, examples.log2_mpp, examples.groups, prior=prior)
    answers = out_of_fold_answers(draft, examples)
    residuals = np.array([np.log2(a["predicted_mpp"] / a["true_mpp"]) for a in answers])
    fold = np.array([draft.fold_of[a["group"]] for a in answers])
    regressor = replace(
        draft,
        half_width_octaves=conformal_half_width(residuals, coverage),
        half_width_of={
            group: round(conformal_half_width(residuals[fold != own], coverage), 5)
            for group, own in draft.fold_of.items()
        },
    )
    return regressor, {"answers": answers, "tiles": len(examples.groups), "groups": len(set(examples.groups))}


def out_of_fold_answers(regressor: Regressor, examples: Examples) -> list[dict[str, Any]]:
    """One answer a slide and octave of mpp, by the model that never saw the slide's group."""
    octave = np.floor(examples.log2_mpp)
    keys = sorted(set(zip(examples.slide_ids, examples.groups, octave, strict=True)))
    answers = []
    for slide_id, group, level in keys:
        mine = np.array([s == slide_id for s in examples.slide_ids]) & (octave == level)
        error = np.median(regressor.predict(examples.features[mine], group) - examples.log2_mpp[mine])
        centre = float(np.median(examples.log2_mpp[mine]))
        answers.append(
            {
                "slide_id": slide_id,
                "group": group,
                "true_mpp": round(2**centre, 4),
                "predicted_mpp": round(float(2 ** (centre + error)), 4),
                "tiles": int(mine.sum()),
            }
        )
    return answers


def stored_form(
    regressor: Regressor,
    training: dict[str, Any],
    compute: Compute,
    source: str,
    coverage: float,
    print_: str,
) -> RegressorFile:
    """Turn a regressor into what is stored."""
    arrays = {name: getattr(regressor, name) for name in ("mean", "scale", "weights", "intercepts")}
    header = {
        "fingerprint": print_,
        "source": source,
        "network_digest": regressor_network(compute).digest,
        "layers": list(REGRESSOR_LAYERS),
        "tile_px": VIEW_PX,
        "fold_of": dict(regressor.fold_of),
        "half_width_octaves": round(regressor.half_width_octaves, 5),
        "half_width_of": dict(regressor.half_width_of),
        "coverage": coverage,
        "training": training,
    }
    return RegressorFile(arrays, header)


def _copy(source: Path, target: Path) -> Path:
    read_regressor(source)
    if not (target.exists() and target.read_bytes() == source.read_bytes()):
        with replacing_file(target) as part:
            shutil.copyfile(source, part)
    return target


def _trusted_info(job: SlideJob) -> SlideInfo | None:
    try:
        info = read_info(job)
    except SlideError:
        return None
    usable = info.usable_mpp
    if not info.trusted or usable is None or max(usable) > COARSEST_TRUSTED_MPP:
        return None
    with open_slide(job.row.path) as slide:
        return info if is_brightfield(slide) else None


def _read_examples(
    trusted: Sequence[tuple[SlideJob, SlideInfo]], settings: MagnificationConfig, compute: Compute
) -> Examples:
    features, truth, slide_ids, groups = [], [], [], []
    with progress("fit", len(trusted), unit="slides") as advance:
        for number, (job, info) in enumerate(trusted):
            rng = np.random.default_rng((settings.seed, number))
            found, log2_mpp = _slide_examples(job, info, settings, compute, rng)
            features.append(found)
            truth.append(log2_mpp)
            slide_ids += [job.row.slide_id] * len(log2_mpp)
            groups += [job.group] * len(log2_mpp)
            advance(1)
    return Examples(np.concatenate(features), np.concatenate(truth), slide_ids, groups)


def _slide_examples(
    job: SlideJob, info: SlideInfo, settings: MagnificationConfig, compute: Compute, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
                images.append(disguise(tile, rng, Recipe()))
                truth.append(np.log2(mpp))
    if not images:
        return np.zeros((0, sum(layer.channels for layer in regressor_network(compute).layers))), np.zeros(0)
    return view_features(np.stack(images), compute), np.array(truth)
