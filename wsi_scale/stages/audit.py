"""Stage `audit`: slides whose header disagrees with their look."""

from collections.abc import Sequence
from pathlib import Path

from wsi_scale.artifacts.audit import AuditRow, write_audit
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.magnification.verdict import judge
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.stages.job import SlideJob


def audit(jobs: Sequence[SlideJob], results: Path) -> list[AuditRow]:
    """Judge every readable slide and write ``audit.tsv``."""
    rows = [row for job in jobs if (row := audit_slide(job.folder)) is not None]
    write_audit(results, rows)
    return rows


def audit_slide(folder: Path) -> AuditRow | None:
    """Hold one slide's claim against its estimate; None for a slide that cannot be read."""
    info = SlideInfo.from_dict(read_slide_info(folder))
    if info.status != "ok":
        return None
    prediction = read_prediction(folder)
    estimate = prediction.estimate if prediction else None
    verdict = judge(info.mpp, info.usable_mpp is not None, estimate)
    mpp, low, high = estimate or (None, None, None)
    return AuditRow(info.slide_id, info.path, info.mpp, info.mpp_source, mpp, low, high, verdict.flag, verdict.reason)
