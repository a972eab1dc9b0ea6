"""At which scale a network should look at tissue, and how large a pixel really is.

The public interface is loaded when it is first used, so that importing the package costs little::

    import wsi_scale as ws

    with ws.open_slide("slide.svs") as slide:
        print(slide.mpp, ws.estimate_mpp(slide))
"""

from typing import TYPE_CHECKING

from wsi_scale.version import __version__

if TYPE_CHECKING:
    from wsi_scale.api.mpp import audit, estimate_mpp
    from wsi_scale.api.runs import Result, load_result, run
    from wsi_scale.api.scale import extract_features, search_scale, tile_slide
    from wsi_scale.api.slide import Slide, open_slide
    from wsi_scale.errors import (
        ArtifactError,
        BusyError,
        ClusterError,
        ConfigError,
        MppError,
        OutputError,
        ReadError,
        RegionError,
        SheetError,
        SlideError,
        UserError,
        WeightsError,
        WsiScaleError,
    )
    from wsi_scale.results.audit import AuditRow
    from wsi_scale.results.features import TileFeatures
    from wsi_scale.results.prediction import Prediction
    from wsi_scale.results.scale_map import Reason, ScaleMap
    from wsi_scale.results.tiles import Tiles, TileTable

#: Module → the names that it offers here.
_OFFERED = {
    "api.mpp": ("audit", "estimate_mpp"),
    "api.runs": ("Result", "load_result", "run"),
    "api.scale": ("extract_features", "search_scale", "tile_slide"),
    "api.slide": ("Slide", "open_slide"),
    "errors": (
        *("ArtifactError", "BusyError", "ClusterError", "ConfigError", "MppError", "OutputError", "ReadError"),
        *("RegionError", "SheetError", "SlideError", "UserError", "WeightsError", "WsiScaleError"),
    ),
    "results.audit": ("AuditRow",),
    "results.features": ("TileFeatures",),
    "results.prediction": ("Prediction",),
    "results.scale_map": ("Reason", "ScaleMap"),
    "results.tiles": ("TileTable", "Tiles"),
}
_HOME = {name: module for module, names in _OFFERED.items() for name in names}

__all__ = [
    "ArtifactError",
    "AuditRow",
    "BusyError",
    "ClusterError",
    "ConfigError",
    "MppError",
    "OutputError",
    "Prediction",
    "ReadError",
    "Reason",
    "RegionError",
    "Result",
    "ScaleMap",
    "SheetError",
    "Slide",
    "SlideError",
    "TileFeatures",
    "TileTable",
    "Tiles",
    "UserError",
    "WeightsError",
    "WsiScaleError",
    "__version__",
    "audit",
    "estimate_mpp",
    "extract_features",
    "load_result",
    "open_slide",
    "run",
    "search_scale",
    "tile_slide",
]


if not TYPE_CHECKING:  # a type checker knows the names above, and shall tell of any other

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
