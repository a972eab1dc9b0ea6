"""µm per pixel from pixels: features, the regressor, pooling over views, intervals and verdicts."""

from wsi_scale.magnification.intervals import conformal_quantile
from wsi_scale.magnification.pooling import Pooled, pool_views, why_abstain
from wsi_scale.magnification.regressor import Regressor, fit_cohort
from wsi_scale.magnification.verdict import Verdict, judge

__all__ = [
    "Pooled",
    "Regressor",
    "Verdict",
    "conformal_quantile",
    "fit_cohort",
    "judge",
    "pool_views",
    "why_abstain",
]
