"""A slide's results in a few numbers, from what lies in its folder."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.record import valid_record
from wsi_scale.artifacts.status import StatusRow
from wsi_scale.execution.guard import guarded
from wsi_scale.jobs.audit import audit_slide
from wsi_scale.jobs.current import current_channels, current_info, current_prediction, current_tile_count
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.status import status_of
from wsi_scale.results.audit import AuditRow
from wsi_scale.results.summary import Quartiles, SlideSummary, quartiles


def summary_of(job: SlideJob, row: StatusRow | None = None, verdict: AuditRow | None = None) -> SlideSummary:
    """Sum up a slide; only results that count enter, and one that cannot be read makes the slide failed.

    Parameters
    ----------
    row, verdict
        Its status and its audit, where they are known already.
    """
    row = row or status_of(job.folder, job.row.slide_id, str(job.row.path))
    verdict = verdict or audit_slide(job)
    bare = SlideSummary(row.slide_id, row.status, row.reason, None, None, None, None, verdict, ())

    def failed(reason: str) -> SlideSummary:
        return replace(bare, status="failed", reason=bare.reason if row.status == "failed" else reason)

    return guarded(f"{row.slide_id}: summary", lambda: _with_results(bare, job), failed)


def _with_results(bare: SlideSummary, job: SlideJob) -> SlideSummary:
    found = {stage for stage in ("inspect", "predict", "tile", "search") if _stands(job, stage)}
    summary = replace(bare, warnings=current_info(job).warnings) if "inspect" in found else bare
    if "tile" not in found:
        return summary
    summary = replace(summary, tiles=current_tile_count(job))
    record = valid_record(job.folder, "search")
    if record is not None and record.status == "empty":
        return replace(summary, answered=0)
    if "search" not in found:
        return summary
    optimal, radius = current_channels(job, ("optimal_mpp", "dominant_radius_um"))
    summary = replace(summary, answered=int(np.isfinite(optimal).sum()))
    prediction = current_prediction(job) if "predict" in found else None
    if prediction is not None and not prediction.is_brightfield:  # no number would be valid
        return summary
    return replace(summary, optimal_mpp=_quartiles(optimal), dominant_radius_um=_quartiles(radius))


def _stands(job: SlideJob, stage: str) -> bool:
    """Whether a stage has left results: of an empty slide, a table without tiles."""
    record = valid_record(job.folder, stage)
    return record is not None and record.status != "failed" and bool(record.files)


def _quartiles(values: NDArray[np.float32]) -> Quartiles | None:
    finite = values[np.isfinite(values)]
    return quartiles(finite) if len(finite) else None
