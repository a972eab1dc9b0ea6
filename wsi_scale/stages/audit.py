"""Stage `audit`: slides whose claim of µm per pixel disagrees with their look."""

from collections.abc import Sequence
from pathlib import Path

from wsi_scale.artifacts.audit import AuditRow, unreadable_row, write_audit
from wsi_scale.artifacts.names import PREDICTION, SLIDE_INFO
from wsi_scale.artifacts.prediction import Prediction, read_prediction
from wsi_scale.artifacts.record import check_artefact, read_record
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.magnification.verdict import Claim, judge
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.stages.job import SlideJob, guarded


def audit(jobs: Sequence[SlideJob], results: Path) -> list[AuditRow]:
    """Judge every slide and write ``audit.tsv``, one row a slide."""
    rows = [audit_slide(job) for job in jobs]
    write_audit(results, rows)
    return rows


def audit_slide(job: SlideJob) -> AuditRow:
    """Hold one slide's claim against its estimate; a slide that cannot be judged is unreadable, with its reason."""
    slide_id, path = job.row.slide_id, str(job.row.path)

    def judged() -> AuditRow:
        record = read_record(job.folder, "inspect")
        if record is None:
            return unreadable_row(slide_id, path, "inspect did not finish; run again")
        if record.status != "ok":
            return unreadable_row(slide_id, path, record.reason)
        check_artefact(job.folder, SLIDE_INFO)
        info = SlideInfo.from_dict(read_slide_info(job.folder))
        predicted = read_record(job.folder, "predict")
        if predicted is not None and predicted.status == "failed":  # what an earlier one left is of no account
            return verdict_on(info, None, predicted.reason)
        if predicted is None:
            return verdict_on(info, None)
        check_artefact(job.folder, PREDICTION)
        return verdict_on(info, read_prediction(job.folder))

    return guarded(f"{slide_id}: audit", judged, lambda reason: unreadable_row(slide_id, path, reason))


def verdict_on(info: SlideInfo, prediction: Prediction | None, no_prediction: str = "") -> AuditRow:
    """Hold a slide's claim against what its pixels look like; an mpp that is itself an estimate claims nothing.

    Parameters
    ----------
    no_prediction
        Why there is none, where that is known.
    """
    given = info.mpp_source == "override"
    mpp, source = (info.mpp, info.mpp_source) if given else (info.header_mpp, info.header_source)
    usable = info.usable_mpp is not None
    claim = Claim(mpp, usable, given, info.header_mpp if given else None) if mpp is not None else None
    estimate = prediction.estimate if prediction else None
    verdict = judge(
        claim,
        estimate,
        mixed=prediction.mixed if prediction else "",
        no_estimate=prediction.reason if prediction else no_prediction,
    )
    look, low, high = estimate or (None, None, None)
    return AuditRow(
        info.slide_id, info.path, mpp, source, info.header_mpp, info.header_source, look, low, high,
        verdict.flag, verdict.reason,
    )  # fmt: skip
