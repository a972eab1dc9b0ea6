"""``<network>.calibration.json``: which channels of a network follow size, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from wsi_scale.artifacts.documents import read_document, write_json
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.results.strict import STRICT

SUFFIX = ".calibration.json"
_COLUMNS = ("channels", "offset", "slope", "residual")


@dataclass(frozen=True)
class CalibrationFile:
    """A calibration, and the network that it belongs to.

    Attributes
    ----------
    network, digest
        Name, and digest over the parameters up to the deepest tap as float16.
    field_um, finest_mpp, coarsest_mpp, rungs_per_octave
        The ladder it was measured on.
    scenes, seed
        The scenes it was measured on.
    layers
        Layer → {"channels", "offset", "slope", "residual"}, lists of equal length.
    """

    __pydantic_config__ = STRICT

    network: str
    digest: str
    field_um: PositiveFloat
    finest_mpp: PositiveFloat
    coarsest_mpp: PositiveFloat
    rungs_per_octave: PositiveInt
    scenes: PositiveInt
    seed: Annotated[int, Field(ge=0)]
    layers: Mapping[str, Mapping[str, Sequence[int] | Sequence[float]]]

    @model_validator(mode="after")
    def _layers_have_channels(self) -> Self:
        """Check that the layers of a file list their channels, each with its line."""
        if not self.layers:
            raise ValueError("no layers")
        for name, columns in self.layers.items():
            if set(columns) != set(_COLUMNS) or len({len(column) for column in columns.values()}) != 1:
                raise ValueError(f"layers.{name} must hold {', '.join(_COLUMNS)}, of one length")
            if not columns["channels"] or not all(isinstance(c, int) and c >= 0 for c in columns["channels"]):
                raise ValueError(f"layers.{name}.channels must be numbers of channels")
            if not all(slope > 0 for slope in columns["slope"]):
                raise ValueError(f"layers.{name}.slope must be positive")
        return self

    @property
    def fingerprint(self) -> str:
        """Digest over all of it."""
        return fingerprint("calibration", content=asdict(self))


@dataclass(frozen=True)
class _Stored(CalibrationFile):
    """A calibration as stored on disk; files of earlier versions have no digest of their content."""

    __pydantic_config__ = STRICT

    content_digest: str = ""

    @model_validator(mode="after")
    def _is_as_written(self) -> Self:
        if self.content_digest not in ("", self.calibration().fingerprint):
            raise ValueError("its digest does not match its content")
        return self

    def calibration(self) -> CalibrationFile:
        """Return what was stored."""
        return CalibrationFile(**{item.name: getattr(self, item.name) for item in fields(CalibrationFile)})


def calibration_name(network: str, key: str) -> str:
    """File name of a calibration; ``key`` distinguishes calibrations of one network."""
    return f"{network}-{key[:12]}{SUFFIX}"


def write_calibration(path: Path, calibration: CalibrationFile) -> None:
    """Write a calibration with a digest of its content."""
    write_json(path, asdict(calibration) | {"content_digest": calibration.fingerprint})


def read_calibration(path: Path) -> CalibrationFile:
    """Read a calibration.

    Raises
    ------
    ArtifactError
        Missing, damaged or something else.
    """
    return read_document(path, _Stored, "calibration", "make it with `wsi-scale calibrate NETWORK`").calibration()


def shipped_folder() -> Path:
    """Folder of the calibrations that the package carries."""
    return Path(str(files("wsi_scale.networks") / "data"))
