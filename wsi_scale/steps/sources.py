"""Estimate and audit of µm per pixel for slides, images and folders."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsi_scale.config.models import Config
from wsi_scale.config.settings import PredictSettings
from wsi_scale.errors import UserError, one_line
from wsi_scale.execution.guard import guarded
from wsi_scale.execution.progress import progress
from wsi_scale.learning.estimator import Estimator
from wsi_scale.magnification.cohort_verdict import judge_together
from wsi_scale.results.audit import AuditedSlide, AuditTile, unreadable_row
from wsi_scale.results.prediction import Prediction
from wsi_scale.slides.metadata import SlideInfo, describe_slide
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.sheet import SheetRow, slides_of
from wsi_scale.slides.slide import Slide
from wsi_scale.slides.tissue import Thumbnail
from wsi_scale.slides.views import view_thumbnail, views_of
from wsi_scale.steps.audit import verdict_on
from wsi_scale.steps.estimate import estimate_mpp

#: Tiles of a slide on the audit's page, and the downsamples that they are shown at.
SHOWN_TILES, SHOWN_DOWNSAMPLES = 2, (1, 4)


def predict_sources(sources: Sequence[Path], config: Config, estimator: Estimator) -> Iterator[dict[str, Any]]:
    """Estimate µm per pixel of slides, images, and everything in folders, one after the other.

    Returns
    -------
    rows
        As they are done. Keys path, mpp, mpp_low, mpp_high, status (ok, abstained, failed) and reason; mpp is None
        unless ok. Of several sources, one without a slide is a failed row.

    Raises
    ------
    UserError
        The only source has no slide.
    """
    asked = _slides_of(sources[0] if len(sources) == 1 else sources)
    return _answers(asked, config, estimator)


def audit_sources(
    sources: Path | Sequence[Path], config: Config, estimator: Estimator, exclude: Path | None = None
) -> list[AuditedSlide]:
    """Compare the claim of every slide with the estimate from its pixels, with some tiles to check by eye.

    Slides of one scanner are judged together where there are five or more. A slide that cannot be read is a row with
    the flag ``unreadable`` and its reason.

    Parameters
    ----------
    sources
        A folder, sample sheet or slide; or several of them, of which one without a slide is an unreadable row.
    exclude
        Folder in which no slides are looked for.

    Raises
    ------
    UserError
        The source, given by itself, has no slide.
    """
    asked = _slides_of(sources, exclude)
    audited = []
    with progress("audit", len(asked), unit="slides") as advance:
        for row, problem in asked:
            audited.append(_unreadable(row, problem) if problem else _audited(row, estimator, config))
            advance(1)
    rows = judge_together([slide.row for slide in audited])
    return [replace(slide, row=row) for slide, row in zip(audited, rows, strict=True)]


def _slides_of(sources: Path | Sequence[Path], exclude: Path | None = None) -> list[tuple[SheetRow, str]]:
    """Slides of all sources; of several, one without a slide is listed with the reason."""
    if isinstance(sources, Path):
        return [(row, "") for row in slides_of(sources, exclude=exclude)]
    found = []
    for source in sources:
        try:
            found += [(row, "") for row in slides_of(source, exclude=exclude)]
        except UserError as error:
            found.append((SheetRow(source.name, source, None, None), one_line(error)))
    return found


def _answers(asked: Sequence[tuple[SheetRow, str]], config: Config, estimator: Estimator) -> Iterator[dict[str, Any]]:
    with progress("predict", len(asked), unit="slides") as advance:
        for row, problem in asked:
            path = row.path
            yield _row(str(path), None, "failed", problem) if problem else _answer(path, estimator, config)
            advance(1)


def _answer(path: Path, estimator: Estimator, config: Config) -> dict[str, Any]:
    def estimate() -> dict[str, Any]:
        with open_slide(path) as slide:
            found = estimate_mpp(slide, estimator, PredictSettings.of(config))
        return _row(str(path), found.estimate, found.status, found.reason)

    return guarded(f"{path}: predict", estimate, lambda reason: _row(str(path), None, "failed", reason))


def _row(path: str, estimate: tuple[float, float, float] | None, status: str, reason: str) -> dict[str, Any]:
    mpp, low, high = estimate or (None, None, None)
    return {"path": path, "mpp": mpp, "mpp_low": low, "mpp_high": high, "status": status, "reason": reason}


def _audited(row: SheetRow, estimator: Estimator, config: Config) -> AuditedSlide:
    def look() -> AuditedSlide:
        with open_slide(row.path) as slide:
            info = describe_slide(slide, row.slide_id, str(row.path), row.mpp)
            thumbnail = view_thumbnail(slide, config.slides.unreadable_share)
            found = estimate_mpp(slide, estimator, PredictSettings.of(config), thumbnail=thumbnail)
            verdict = verdict_on(info, found)
            return AuditedSlide(verdict, tuple(_tiles(slide, info, found, thumbnail)), info.warnings)

    return guarded(f"{row.slide_id}: audit", look, lambda reason: _unreadable(row, reason))


def _unreadable(row: SheetRow, reason: str) -> AuditedSlide:
    return AuditedSlide(unreadable_row(row.slide_id, str(row.path), reason))


def _tiles(slide: Slide, info: SlideInfo, found: Prediction, thumbnail: Thumbnail) -> Iterator[AuditTile]:
    rng = np.random.default_rng(0)
    claimed = info.mpp if info.usable_mpp else None
    for downsample, images, _ in views_of(slide, SHOWN_TILES, rng, thumbnail):
        if downsample in SHOWN_DOWNSAMPLES:
            for image in images:
                yield AuditTile(
                    image,
                    downsample,
                    claimed * downsample if claimed else None,
                    found.mpp * downsample if found.mpp else None,
                )
