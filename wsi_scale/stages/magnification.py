"""µm per pixel of slides and images without a results folder: `wsi-scale magnification predict` and `audit`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsi_scale.artifacts.atomic import check_writable, replacing_file
from wsi_scale.artifacts.audit import unreadable_row, write_audit
from wsi_scale.artifacts.prediction import Prediction
from wsi_scale.config.models import Config
from wsi_scale.config.settings import PredictSettings
from wsi_scale.errors import UserError
from wsi_scale.execution.progress import progress
from wsi_scale.learning.estimator import Estimator, load_estimator
from wsi_scale.report.audit_page import AuditedSlide, AuditTile, render_audit_page
from wsi_scale.slides.metadata import SlideInfo, describe_slide
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.sheet import SheetRow, slides_of
from wsi_scale.slides.slide import Slide
from wsi_scale.stages.audit import verdict_on
from wsi_scale.stages.job import guarded, one_line
from wsi_scale.stages.predict import estimate_slide, prediction_of
from wsi_scale.stages.report import page_context
from wsi_scale.stages.views import views_of

#: Name of the audit's page.
PAGE = "audit.html"
#: Tiles of a slide on the audit's page, and the downsamples that they are shown at.
SHOWN_TILES, SHOWN_DOWNSAMPLES = 2, (1, 4)


def predict_paths(
    sources: Sequence[Path], config: Config, regressor: Path | None, network: str | None
) -> list[dict[str, Any]]:
    """Estimate µm per pixel of slides, images, and everything in folders.

    Returns
    -------
    rows
        Keys path, mpp, mpp_low, mpp_high, status (ok, abstained, failed) and reason; mpp is None unless ok.
        Of several sources, one that stands for no slide is a failed row.

    Raises
    ------
    UserError
        The only source stands for no slide, or the regressor cannot be read.
    """
    estimator = load_estimator(config, regressor, network)
    several = len(sources) > 1
    asked = [found for source in sources for found in _slides_of(source, or_why=several)]
    answers = []
    with progress("predict", len(asked), unit="slides") as advance:
        for path, problem in asked:
            answers.append(_row(str(path), None, "failed", problem) if problem else _answer(path, estimator, config))
            advance(1)
    return answers


def audit_source(
    source: Path, config: Config, output: Path, regressor: Path | None, network: str | None
) -> list[AuditedSlide]:
    """Hold the claim of every slide against its look; writes ``audit.tsv`` and a page with tiles to judge by.

    A slide that cannot be read is a row with the flag ``unreadable`` and its reason.
    """
    estimator = load_estimator(config, regressor, network)
    rows = slides_of(source, exclude=None if output.resolve() == source.resolve() else output)
    check_writable(output)
    audited = []
    with progress("audit", len(rows), unit="slides") as advance:
        for row in rows:
            audited.append(_audited(row, estimator, config))
            advance(1)
    write_audit(output, [slide.row for slide in audited])
    with replacing_file(output / PAGE) as part:
        part.write_text(render_audit_page(audited, page_context(config)), encoding="utf-8")
    return audited


def _slides_of(source: Path, *, or_why: bool) -> list[tuple[Path, str]]:
    """Slides that a source stands for, or the source itself and why it stands for none."""
    try:
        return [(row.path, "") for row in slides_of(source)]
    except UserError as error:
        if or_why:
            return [(source, one_line(error))]
        raise


def _answer(path: Path, estimator: Estimator, config: Config) -> dict[str, Any]:
    def estimate() -> dict[str, Any]:
        with open_slide(path) as slide:
            found = _prediction(slide, estimator, config)
        return _row(str(path), found.estimate, found.status, found.reason)

    return guarded(f"{path}: predict", estimate, lambda reason: _row(str(path), None, "failed", reason))


def _prediction(slide: Slide, estimator: Estimator, config: Config) -> Prediction:
    estimate = estimate_slide(slide, estimator, PredictSettings.of(config), None)
    return prediction_of(estimate)


def _row(path: str, estimate: tuple[float, float, float] | None, status: str, reason: str) -> dict[str, Any]:
    mpp, low, high = estimate or (None, None, None)
    return {"path": path, "mpp": mpp, "mpp_low": low, "mpp_high": high, "status": status, "reason": reason}


def _audited(row: SheetRow, estimator: Estimator, config: Config) -> AuditedSlide:
    def look() -> AuditedSlide:
        with open_slide(row.path) as slide:
            info = describe_slide(slide, row.slide_id, str(row.path), row.mpp)
            found = _prediction(slide, estimator, config)
            verdict = verdict_on(info, found)
            return AuditedSlide(
                verdict, tuple(_tiles(slide, info, found, config.slides.unreadable_share)), info.warnings
            )

    def failed(reason: str) -> AuditedSlide:
        return AuditedSlide(unreadable_row(row.slide_id, str(row.path), reason))

    return guarded(f"{row.slide_id}: audit", look, failed)


def _tiles(slide: Slide, info: SlideInfo, found: Prediction, most_unreadable: float) -> Iterator[AuditTile]:
    rng = np.random.default_rng(0)
    claimed = info.mpp if info.usable_mpp else None
    for downsample, images, _ in views_of(slide, SHOWN_TILES, rng, most_unreadable):
        if downsample in SHOWN_DOWNSAMPLES:
            for image in images:
                yield AuditTile(
                    image,
                    downsample,
                    claimed * downsample if claimed else None,
                    found.mpp * downsample if found.mpp else None,
                )
