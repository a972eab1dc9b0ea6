"""The scale search: ladders, optima of responses, the published and the covariant method, calibration."""

from wsi_scale.scale.calibration import Calibration, LayerCalibration, calibrate
from wsi_scale.scale.covariant import CovariantAnswer, search_covariant
from wsi_scale.scale.ladder import Ladder, Rung, geometric_ladder
from wsi_scale.scale.optimum import interior_optimum
from wsi_scale.scale.published import PublishedAnswer, published_sizes, search_published, signed_to_factor

__all__ = [
    "Calibration",
    "CovariantAnswer",
    "Ladder",
    "LayerCalibration",
    "PublishedAnswer",
    "Rung",
    "calibrate",
    "geometric_ladder",
    "interior_optimum",
    "published_sizes",
    "search_covariant",
    "search_published",
    "signed_to_factor",
]
