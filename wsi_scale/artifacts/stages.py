"""The table of stages: their order, the configuration that each reads, and the artefacts that each writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

from wsi_scale.artifacts import names
from wsi_scale.config.load import dump_section
from wsi_scale.config.models import Config
from wsi_scale.config.settings import (
    CalibrateSettings,
    ExtractSettings,
    FitSettings,
    InspectSettings,
    PredictSettings,
    ReportSettings,
    SearchSettings,
    StageSettings,
    TileSettings,
)


@dataclass(frozen=True)
class StageSpec:
    """A stage; fingerprints, records, commands and workflow rules are derived from it.

    Attributes
    ----------
    name
        Of the stage, its command, its rule and its record.
    version
        To be increased when the stage's output changes: results of another version are computed again.
    after
        Stages whose results it may use, and whose failure or emptiness is then passed on.
    settings
        What the stage reads of the configuration.
    artefacts
        Files and folders that it writes besides its record.
    """

    name: str
    version: int
    after: tuple[str, ...]
    settings: type[StageSettings]
    artefacts: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the configuration that the stage reads."""
        return self.settings.keys()

    @property
    def record(self) -> str:
        """File name of its record."""
        return f"{self.name}.json"


def _table(*specs: StageSpec) -> dict[str, StageSpec]:
    return {spec.name: spec for spec in specs}


#: The stages of one slide, in the order in which they run.
SLIDE_STAGES = _table(
    StageSpec("inspect", 3, (), InspectSettings, (names.SLIDE_INFO,)),
    StageSpec("predict", 3, ("inspect",), PredictSettings, (names.PREDICTION,)),
    StageSpec(
        "tile",
        2,
        ("inspect", "predict"),
        TileSettings,
        (names.TILES, names.THUMBNAIL, names.MASK, names.OVERLAY, names.REGIONS),
    ),
    StageSpec("search", 4, ("inspect", "tile"), SearchSettings, (names.SCALE_MAP, names.GEOJSON)),
    StageSpec("extract", 3, ("inspect", "tile", "search"), ExtractSettings, (names.FEATURES,)),
)

#: The stages of a cohort; their artefacts lie in the folder of the results.
COHORT_STAGES = _table(
    StageSpec("calibrate", 1, (), CalibrateSettings, (names.CALIBRATION,)),
    StageSpec("fit", 3, ("inspect",), FitSettings, (names.REGRESSOR,)),
    StageSpec(
        "report", 3, tuple(SLIDE_STAGES), ReportSettings, (names.PAGE, names.STATUS, names.SLIDES_TABLE, names.AUDIT)
    ),
)


def writer_of(artefact: str) -> StageSpec:
    """Return the stage that writes an artefact of a slide."""
    return next(spec for spec in SLIDE_STAGES.values() if artefact in spec.artefacts)


def is_artefact(name: str) -> bool:
    """Whether a file or folder of this name in a slide's folder is written by this program."""
    return name in (names.PAGE, names.CALIBRATION, names.RUNS) or any(
        name in (spec.record, *spec.artefacts) for spec in SLIDE_STAGES.values()
    )


def configuration_read(stages: Iterable[str], config: Config) -> dict[str, Any]:
    """Choose the values that stages read of a configuration, by section and key."""
    specs, values = SLIDE_STAGES | COHORT_STAGES, dump_section(config)
    chosen: dict[str, Any] = {}
    for key in sorted({key for stage in stages for key in specs[stage].keys}):
        section, _, name = key.rpartition(".")
        (chosen.setdefault(section, {}) if section else chosen)[name] = reduce(getitem, key.split("."), values)
    return chosen
