"""µm per pixel from pixels: estimates, and audits of what slides claim."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from wsi_scale.api.settings import configured
from wsi_scale.api.slide import SlideLike, opened
from wsi_scale.config.models import Config
from wsi_scale.config.settings import PredictSettings
from wsi_scale.execution.progress import showing_progress
from wsi_scale.learning.estimator import load_estimator
from wsi_scale.results.audit import AuditRow
from wsi_scale.results.prediction import Prediction
from wsi_scale.steps.estimate import estimate_mpp as estimate_of
from wsi_scale.steps.sources import audit_sources


def estimate_mpp(
    slide: SlideLike,
    *,
    regressor: str | PathLike[str] | None = None,
    tiles_per_slide: int = 24,
    coverage: float = 0.9,
    seed: int = 0,
    unreadable_share: float = 0.01,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Prediction:
    """Estimate a slide's µm per pixel from its pixels; its header is not used.

    Parameters
    ----------
    slide
        An opened slide, a path, or an (H, W, 3) array of uint8.
    regressor
        A regressor file; by default the one that the package carries.
    tiles_per_slide, coverage, seed
        Keys of the section ``magnification``.
    unreadable_share
        Share of the slide that may be impossible to decode.
    device
        Where the network runs.

    Returns
    -------
    prediction
        ``status`` (ok, abstained), ``mpp``, ``low``, ``high`` in µm per pixel of level 0, and ``reason``.

    Raises
    ------
    UserError
        The slide or the regressor cannot be read.

    Examples
    --------
    An empty slide says nothing of its scale:

    >>> import numpy as np, wsi_scale as ws
    >>> answer = ws.estimate_mpp(np.full((600, 800, 3), 240, np.uint8))
    >>> answer.status, answer.mpp, answer.reason
    ('abstained', None, 'no tissue found')
    """
    config = _configured(regressor, tiles_per_slide, coverage, seed, unreadable_share, device)
    with opened(slide) as own:
        return estimate_of(own.reader, load_estimator(config), PredictSettings.of(config))


def audit(
    slides: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    regressor: str | PathLike[str] | None = None,
    tiles_per_slide: int = 24,
    coverage: float = 0.9,
    seed: int = 0,
    unreadable_share: float = 0.01,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    progress: bool = False,
) -> list[AuditRow]:
    """Compare the µm per pixel that slides claim with the estimate from their pixels.

    A slide that cannot be read is a row with the flag ``unreadable`` and its reason.

    Parameters
    ----------
    slides
        Slides, folders of slides or sample sheets: one, or several.
    regressor, tiles_per_slide, coverage, seed, unreadable_share, device
        As in :func:`estimate_mpp`.
    progress
        Whether to show a progress bar.

    Returns
    -------
    rows
        One a slide: ``path``, ``claim`` (µm per pixel or None), ``estimate`` ((mpp, low, high) or None), ``flag``
        (agrees, off_2x, off_10x, off_together, mixed, implausible, missing, no_estimate, unreadable) and ``reason``.

    Raises
    ------
    UserError
        A source that is given alone, not in a list, holds no slide; or the regressor cannot be read.

    Examples
    --------
    >>> import wsi_scale as ws
    >>> [row.flag for row in ws.audit(["none.svs", "neither.svs"])]
    ['unreadable', 'unreadable']
    """
    config = _configured(regressor, tiles_per_slide, coverage, seed, unreadable_share, device)
    sources = Path(slides) if isinstance(slides, str | PathLike) else [Path(slide) for slide in slides]
    with showing_progress(progress):
        audited = audit_sources(sources, config, load_estimator(config))
    return [slide.row for slide in audited]


def _configured(
    regressor: str | PathLike[str] | None,
    tiles_per_slide: int,
    coverage: float,
    seed: int,
    unreadable_share: float,
    device: str,
) -> Config:
    magnification = {"regressor": regressor, "tiles_per_slide": tiles_per_slide, "coverage": coverage, "seed": seed}
    slides = {"unreadable_share": unreadable_share}
    return configured(magnification=magnification, slides=slides, execution={"device": device})
