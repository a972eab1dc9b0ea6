"""The audit of a cohort: slides whose claimed µm per pixel disagrees with the estimate from their pixels."""

from collections.abc import Sequence
from pathlib import Path

from wsi_scale.artifacts.audit import write_audit
from wsi_scale.artifacts.record import read_record
from wsi_scale.artifacts.status import unfinished
from wsi_scale.execution.guard import guarded
from wsi_scale.jobs.current import current_info, current_prediction
from wsi_scale.jobs.job import SlideJob
from wsi_scale.magnification.cohort_verdict import judge_together
from wsi_scale.results.audit import AuditRow, unreadable_row
from wsi_scale.steps.audit import verdict_on


def audit(jobs: Sequence[SlideJob], results: Path) -> list[AuditRow]:
    """Audit every slide, and write ``audit.tsv``, one row for each."""
    rows = audit_together(jobs)
    write_audit(results, rows)
    return rows


def audit_together(jobs: Sequence[SlideJob]) -> list[AuditRow]:
    """Audit every slide, then those of each scanner together."""
    return judge_together([audit_slide(job) for job in jobs])


def audit_slide(job: SlideJob) -> AuditRow:
    """Compare one slide's claim with its estimate; a slide that cannot be compared is unreadable, with its reason."""
    slide_id, path = job.row.slide_id, str(job.row.path)

    def judged() -> AuditRow:
        record = read_record(job.folder, "inspect")
        if record is None:
            return unreadable_row(slide_id, path, unfinished("inspect", path))
        if record.status != "ok":
            return unreadable_row(slide_id, path, record.reason)
        info = current_info(job)
        predicted = read_record(job.folder, "predict")
        if predicted is not None and predicted.status == "failed":  # what an earlier one left is of no account
            return verdict_on(info, None, predicted.reason)
        if predicted is None:
            return verdict_on(info, None)
        return verdict_on(info, current_prediction(job))

    return guarded(f"{slide_id}: audit", judged, lambda reason: unreadable_row(slide_id, path, reason))
