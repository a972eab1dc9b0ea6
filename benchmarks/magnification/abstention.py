"""Whether the shipped estimator abstains on what lies beyond or holds the truth, on the half that chose nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.magnification.estimators import kept_out
from benchmarks.magnification.extremes import Extreme, enlargements, overviews, side_of
from benchmarks.magnification.features import draw_features
from benchmarks.sources import TRAINED_ON, read_crops
from wsi_scale.config.models import MagnificationConfig
from wsi_scale.learning.estimator import Estimator
from wsi_scale.magnification.estimate import Views, estimate_views
from wsi_scale.magnification.regressor import Regressor


@dataclass(frozen=True)
class Outcome:
    """Answer to one image.

    Attributes
    ----------
    kind, case, mpp
        Of the image; ``mpp`` is the truth.
    has_views
        Whether it was large enough for one view.
    trained_on
        Whether the network was trained on the case, or on some of a microarray's.
    abstained, held
        Whether no estimate was given; whether none was, or one with an interval that holds the truth.
    estimated_mpp
        The estimate, µm per pixel, whether given or not.
    """

    kind: str
    case: str
    mpp: float
    has_views: bool
    trained_on: bool
    abstained: bool
    held: bool
    estimated_mpp: float


def measure(root: Path, estimator: Estimator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Share of overviews and enlargements that are abstained on or held, with and without the rule for them."""
    trained = {source.case for source in read_crops(root, TRAINED_ON)} - kept_out("shipped")
    images = [image for image in chain(overviews(root), enlargements(root)) if side_of(image.case) == "reporting"]
    features = draw_features(images, estimator)
    parts = [(image, features[image.key]) for image in images]
    plain = replace(estimator.regressor, out_of_range=None)
    now, before = ([outcome(image, views, r, trained) for image, views in parts] for r in (estimator.regressor, plain))
    counted = [outcome for outcome in now if outcome.has_views]
    unseen = [outcome for outcome in counted if not outcome.trained_on]
    keys = {
        "extremes_held": held(counted)["held"],
        "extremes_held_interval": held(counted)["interval"],
        "extremes_n": len(counted),
        "extremes_held_unseen": held(unseen)["held"],
    }
    return keys, {
        "kinds": by_kind(counted),
        "unseen": by_kind(unseen),
        "without_the_rule": by_kind([outcome for outcome in before if outcome.has_views]),
        "too_small": sum(not outcome.has_views for outcome in now),
        "not_held": [(o.kind, o.case, round(o.mpp, 3), round(o.estimated_mpp, 3)) for o in counted if not o.held],
    }


def outcome(image: Extreme, views: Sequence[Views], regressor: Regressor, trained: Iterable[str]) -> Outcome:
    """Answer to one image, as :func:`wsi_scale.stages.predict.estimate_slide` gives it."""
    estimate = estimate_views(regressor, views, MagnificationConfig().coverage)
    error = abs(estimate.pooled.log2_mpp - np.log2(image.mpp))
    return Outcome(
        image.kind,
        image.case,
        image.mpp,
        bool(views),
        image.case in trained or image.kind.startswith("microarray"),
        bool(estimate.reason),
        bool(estimate.reason) or bool(error <= estimate.half_width_octaves),
        float(2**estimate.pooled.log2_mpp),
    )


def by_kind(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Figures of each kind, compressed or not, and of all overviews, enlargements and images."""
    groups = {kind: [o for o in outcomes if o.kind.removesuffix("+jpeg") == kind] for kind in _kinds(outcomes)}
    coarse = [o for o in outcomes if o.mpp > 8]
    groups |= {"overviews": coarse, "enlargements": [o for o in outcomes if o.mpp <= 8], "all": list(outcomes)}
    return {kind: held(members) for kind, members in groups.items() if members}


def held(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Share abstained on or held with its 95 % interval (Wilson), and the share abstained on."""
    count = sum(outcome.held for outcome in outcomes)
    interval = binomtest(count, len(outcomes)).proportion_ci(method="wilson")
    return {
        "held": round(count / len(outcomes), 4),
        "interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
        "abstained": round(float(np.mean([outcome.abstained for outcome in outcomes])), 4),
        "n": len(outcomes),
    }


def _kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return sorted({outcome.kind.removesuffix("+jpeg") for outcome in outcomes})
