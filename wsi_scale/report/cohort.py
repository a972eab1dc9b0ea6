"""The cohort's part of a report: the audit, and the errors of the regressor of mpp."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wsi_scale.artifacts.regressor import read_regressor
from wsi_scale.report.plots import agreement_plot
from wsi_scale.report.words import count_text
from wsi_scale.results.audit import AuditRow


@dataclass(frozen=True)
class CohortView:
    """What a report shows of all slides together.

    Attributes
    ----------
    audit
        One row a slide.
    regressor
        Header of the regressor in use (``source``, ``training``, ``coverage``, …); empty where there is none.
    """

    audit: Sequence[AuditRow] = ()
    regressor: Mapping[str, object] = field(default_factory=dict)


def read_cohort_view(audit: Sequence[AuditRow], regressor: Path | None) -> CohortView:
    """Gather the cohort's view.

    Parameters
    ----------
    regressor
        The regressor's file, or None where there is none.

    Raises
    ------
    ArtifactError
        The file is damaged or not a regressor.
    """
    return CohortView(tuple(audit), dict(read_regressor(regressor).header) if regressor else {})


@dataclass(frozen=True)
class RegressorSection:
    """What the template shows of the regressor.

    Attributes
    ----------
    origin
        One sentence: what it was fitted on.
    plot
        An ``<svg>`` element, or "" without out-of-fold predictions.
    figures
        (name, value).
    """

    origin: str
    plot: str
    figures: list[tuple[str, str]]


def lay_regressor(header: Mapping[str, object]) -> RegressorSection | None:
    """Plot and describe the errors of the regressor; None if there is none."""
    if not header:
        return None
    training = header.get("training")
    training = training if isinstance(training, Mapping) else {}
    true, predicted = _answers(training)
    figures = _errors(true, predicted) if true else []
    stored = training.get("figures")
    if isinstance(stored, Mapping):
        figures += _flat(stored)
    words = "; ".join(f"{name} {value}" for name, value in figures)
    plot = agreement_plot(true, predicted, f"Predicted against true mpp: {words}") if true else ""
    return RegressorSection(_origin(header, training), plot, figures)


def _origin(header: Mapping[str, object], training: Mapping[str, object]) -> str:
    if header.get("source") != "cohort":
        return "The shipped regressor was used; nothing was fitted to these slides."
    groups, tiles = training.get("groups"), training.get("tiles")
    if not (isinstance(groups, int) and isinstance(tiles, int)):
        return "The regressor was fitted to those of these slides whose mpp is trusted."
    size = f"{count_text(tiles, 'tile')} from {count_text(groups, 'group')}"
    fitted = f"The regressor was fitted to those of these slides whose mpp is trusted: {size}."
    shared = training.get("shared_octaves")
    if not isinstance(shared, float):
        return fitted
    return f"{fitted} Before, its estimates were {2**shared:.2f} times their mpp in common."


def _answers(training: Mapping[str, object]) -> tuple[list[float], list[float]]:
    """Return true and predicted mpp of the out-of-fold predictions."""
    answers = training.get("answers")
    if not isinstance(answers, Sequence):
        return [], []
    return [float(a["true_mpp"]) for a in answers], [float(a["predicted_mpp"]) for a in answers]


def _errors(true: Sequence[float], predicted: Sequence[float]) -> list[tuple[str, str]]:
    """Errors of the out-of-fold predictions, in octaves and as factors."""
    error = np.log2(predicted) - np.log2(true)
    median, most = np.percentile(np.abs(error), (50, 90))
    return [
        ("answers", f"{len(error)}"),
        ("median error", f"{median:.2f} octave (a factor of {2**median:.2f})"),
        ("90 % are within", f"{most:.2f} octave (a factor of {2**most:.2f})"),
        ("median deviation", f"{np.median(error):+.2f} octave"),
    ]


def _flat(figures: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested figures into (name, value)."""
    flat: list[tuple[str, str]] = []
    for name, value in figures.items():
        shown = prefix + str(name).replace("_", " ")
        if isinstance(value, Mapping):
            flat += _flat(value, f"{shown}: ")
        else:
            flat.append((shown, f"{value:.4g}" if isinstance(value, float) else str(value)))
    return flat
