"""The configuration that each stage reads: one immutable class for each stage, each field a key."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_type_hints

from wsi_scale.config.models import (
    CalibrationConfig,
    Config,
    ExecutionConfig,
    FeaturesConfig,
    MapConfig,
    SearchConfig,
    TilingConfig,
)


@dataclass(frozen=True)
class Key:
    """The configuration key of a field of settings.

    Attributes
    ----------
    name
        ``section`` or ``section.key``.
    in_fingerprint
        False for what does not change a result, and for what counts by its content: the file that a path names is in
        the fingerprint, where it lies is not.
    """

    name: str
    in_fingerprint: bool = True


@dataclass(frozen=True)
class StageSettings:
    """Base of a stage's settings: all that the stage reads from the configuration."""

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """List the configuration keys that the stage reads, in order."""
        return tuple(key.name for key in cls._fields().values())

    @classmethod
    def _fields(cls) -> dict[str, Key]:
        hints = get_type_hints(cls, include_extras=True)
        return {name: next(e for e in get_args(hint) if isinstance(e, Key)) for name, hint in hints.items()}

    @classmethod
    def of(cls, config: Config) -> Self:
        """Make the settings from a configuration."""
        return cls(**{name: value_of(config, key.name) for name, key in cls._fields().items()})

    def by_value(self) -> dict[str, Any]:
        """Key → value of the settings that enter the fingerprint as written."""
        return {key.name: getattr(self, name) for name, key in self._fields().items() if key.in_fingerprint}


def value_of(config: Config, key: str) -> Any:
    """Look up ``section`` or ``section.key``."""
    return reduce(getattr, key.split("."), config)


@dataclass(frozen=True)
class InspectSettings(StageSettings):
    """`inspect` reads no configuration."""


@dataclass(frozen=True)
class PredictSettings(StageSettings):
    """What `predict` reads."""

    tiles_per_slide: Annotated[int, Key("magnification.tiles_per_slide")]
    coverage: Annotated[float, Key("magnification.coverage")]
    seed: Annotated[int, Key("magnification.seed")]
    unreadable_share: Annotated[float, Key("slides.unreadable_share")]
    regressor: Annotated[Path | None, Key("magnification.regressor", in_fingerprint=False)]
    execution: Annotated[ExecutionConfig, Key("execution", in_fingerprint=False)]


@dataclass(frozen=True)
class TileSettings(StageSettings):
    """What `tile` reads."""

    method: Annotated[Literal["auto", "none"], Key("tissue.method")]
    thumbnail_px: Annotated[int, Key("tissue.thumbnail_px")]
    tiling: Annotated[TilingConfig, Key("tiling")]
    brightfield_only: Annotated[bool, Key("slides.brightfield_only")]
    unreadable_share: Annotated[float, Key("slides.unreadable_share")]
    mpp: Annotated[Literal["metadata", "estimate"], Key("slides.mpp", in_fingerprint=False)]
    mask: Annotated[str | None, Key("tissue.mask", in_fingerprint=False)]
    regions: Annotated[str | None, Key("tissue.regions", in_fingerprint=False)]


@dataclass(frozen=True)
class CalibrateSettings(StageSettings):
    """What `calibrate` reads."""

    network: Annotated[str, Key("network", in_fingerprint=False)]
    weights: Annotated[Path | None, Key("weights", in_fingerprint=False)]
    search: Annotated[SearchConfig, Key("search")]
    calibration: Annotated[CalibrationConfig, Key("calibration", in_fingerprint=False)]
    execution: Annotated[ExecutionConfig, Key("execution", in_fingerprint=False)]


@dataclass(frozen=True)
class SearchSettings(CalibrateSettings):
    """What `search` reads: also what it takes to find or make the calibration that it needs."""

    tiling: Annotated[TilingConfig, Key("tiling")]
    map: Annotated[MapConfig, Key("map")]
    reader: Annotated[Literal["openslide", "tifffile"], Key("slides.reader")]
    unreadable_share: Annotated[float, Key("slides.unreadable_share")]


@dataclass(frozen=True)
class ExtractSettings(StageSettings):
    """What `extract` reads."""

    network: Annotated[str, Key("network", in_fingerprint=False)]
    weights: Annotated[Path | None, Key("weights", in_fingerprint=False)]
    features: Annotated[FeaturesConfig, Key("features")]
    reader: Annotated[Literal["openslide", "tifffile"], Key("slides.reader")]
    unreadable_share: Annotated[float, Key("slides.unreadable_share")]
    execution: Annotated[ExecutionConfig, Key("execution", in_fingerprint=False)]


@dataclass(frozen=True)
class FitSettings(StageSettings):
    """What `fit` reads."""

    fit_tiles_per_slide: Annotated[int, Key("magnification.fit_tiles_per_slide")]
    coverage: Annotated[float, Key("magnification.coverage")]
    seed: Annotated[int, Key("magnification.seed")]
    regressor: Annotated[Path | None, Key("magnification.regressor", in_fingerprint=False)]
    execution: Annotated[ExecutionConfig, Key("execution", in_fingerprint=False)]


@dataclass(frozen=True)
class ReportSettings(StageSettings):
    """The configuration as `report` shows it; nothing else depends on it."""

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """All keys but paths, and those of trainings."""
        sections = (name for name in Config.model_fields if name not in ("slides", "results", "training"))
        return (*sections, "slides.mpp", "slides.brightfield_only", "slides.reader", "slides.unreadable_share")
