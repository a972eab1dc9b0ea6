"""``<network>.calibration.json``: which channels of a network follow size, and how."""

from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.errors import ArtifactError

SUFFIX = ".calibration.json"


@dataclass(frozen=True)
class CalibrationFile:
    """A calibration and what it is bound to.

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

    network: str
    digest: str
    field_um: float
    finest_mpp: float
    coarsest_mpp: float
    rungs_per_octave: int
    scenes: int
    seed: int
    layers: dict[str, dict[str, list[float]]]

    @property
    def fingerprint(self) -> str:
        """Digest over all of it."""
        return fingerprint("calibration", content=asdict(self))


def calibration_name(network: str, key: str) -> str:
    """File name of a calibration; ``key`` tells two of one network apart."""
    return f"{network}-{key[:12]}{SUFFIX}"


def write_calibration(path: Path, calibration: CalibrationFile) -> None:
    """Write a calibration."""
    write_json(path, asdict(calibration))


def read_calibration(path: Path) -> CalibrationFile:
    """Read a calibration.

    Raises
    ------
    ArtifactError
        Missing, damaged or something else.
    """
    content: dict[str, Any] = read_json(path)
    try:
        return CalibrationFile(**content)
    except TypeError as error:
        raise ArtifactError(f"{path} is no calibration; make it with `wsi-scale calibrate NETWORK`") from error


def shipped_folder() -> Path:
    """Folder of the calibrations that the package carries."""
    return Path(str(files("wsi_scale.networks") / "data"))
