"""A slide's claimed µm per pixel compared with the estimate from its pixels."""

from wsi_scale.magnification.verdict import Claim, judge
from wsi_scale.results.audit import AuditRow
from wsi_scale.results.prediction import Prediction
from wsi_scale.slides.metadata import SlideInfo


def verdict_on(info: SlideInfo, prediction: Prediction | None, no_prediction: str = "") -> AuditRow:
    """Compare a slide's claim with the estimate from its pixels; an estimated mpp is no claim.

    Parameters
    ----------
    no_prediction
        Why there is none, if that is known.
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
        why_missing=info.why_no_mpp,
    )
    look, low, high = estimate or (None, None, None)
    return AuditRow(
        info.slide_id, info.path, mpp, source, info.header_mpp, info.header_source, look, low, high,
        verdict.flag, verdict.reason, info.scanner,
    )  # fmt: skip
