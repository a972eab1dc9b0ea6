"""Stage `audit`: slides whose header disagrees with their look."""

from collections.abc import Sequence
from pathlib import Path

from wsi_scale.artifacts.audit import AuditRow, write_audit
from wsi_scale.artifacts.prediction import Prediction, read_prediction
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.magnification.verdict import judge
from wsi_scale.slides.metadata import SlideInfo, inspect_slide
from wsi_scale.stages.job import SlideJob


def audit(jobs: Sequence[SlideJob], results: Path) -> list[AuditRow]:
    """Judge every readable slide and write ``audit.tsv``."""
    rows = [row for job in jobs if (row := audit_slide(job.folder)) is not None]
    write_audit(results, rows)
    return rows


def audit_slide(folder: Path) -> AuditRow | None:
    """Hold one slide's claim against its estimate; None for a slide that cannot be read."""
    info = SlideInfo.from_dict(read_slide_info(folder))
    if info.mpp_source == "estimated":
        # An estimate stands where the header's own claim, if it had one, was of no use; the claim is what is judged.
        own = inspect_slide(Path(info.path), info.slide_id)
        info = own if own.status == "ok" else info
    return verdict_on(info, read_prediction(folder)) if info.status == "ok" else None


def verdict_on(info: SlideInfo, prediction: Prediction | None) -> AuditRow:
    """Hold a slide's claim against what its pixels look like; an mpp that is itself an estimate claims nothing."""
    claims = info.mpp_source not in ("estimated", "missing")
    verdict = judge(
        info.mpp if claims else None,
        info.usable_mpp is not None,
        prediction.estimate if prediction else None,
        mixed=prediction.mixed if prediction else "",
        no_estimate=prediction.reason if prediction else "",
    )
    mpp, low, high = (prediction.estimate if prediction else None) or (None, None, None)
    claimed = info.mpp if claims else None
    return AuditRow(info.slide_id, info.path, claimed, info.mpp_source, mpp, low, high, verdict.flag, verdict.reason)
