"""``prediction.json``: µm per pixel as read from a slide's pixels."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.errors import ArtifactError

NAME = "prediction.json"


@dataclass(frozen=True)
class Prediction:
    """An estimate for level 0.

    Attributes
    ----------
    path
        The slide, as given.
    mpp, mpp_low, mpp_high
        µm per pixel and its interval; None unless ok.
    status
        ok, or abstained.
    reason
        Why there is no estimate; "" where there is one.
    views
        Tiles looked at, over all downsamples.
    by_downsample
        Downsample → estimate for level 0, µm per pixel.
    mixed
        How parts of the slide disagree; "" where they do not.
    fingerprint
        What it depends on.
    """

    path: str
    mpp: float | None
    mpp_low: float | None
    mpp_high: float | None
    status: Literal["ok", "abstained"]
    reason: str
    views: int
    by_downsample: dict[str, float]
    mixed: str
    fingerprint: str

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """(mpp, low, high), or None where there is none."""
        if self.mpp is None or self.mpp_low is None or self.mpp_high is None:
            return None
        return self.mpp, self.mpp_low, self.mpp_high


def write_prediction(folder: Path, prediction: Prediction) -> None:
    """Write a prediction."""
    write_json(folder / NAME, asdict(prediction))


def read_prediction(folder: Path) -> Prediction | None:
    """Read a slide's prediction; None where there is none."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return Prediction(**read_json(path))
    except TypeError as error:
        raise ArtifactError(f"{path} is no prediction; delete it and run again") from error
