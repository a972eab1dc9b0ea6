"""``prediction.json``: µm per pixel as read from a slide's pixels."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from wsi_scale.artifacts.documents import STRICT, read_document, write_json

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

    __pydantic_config__ = STRICT

    path: str
    mpp: PositiveFloat | None
    mpp_low: PositiveFloat | None
    mpp_high: PositiveFloat | None
    status: Literal["ok", "abstained"]
    reason: str
    views: Annotated[int, Field(ge=0)]
    by_downsample: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")], PositiveFloat]
    mixed: str
    fingerprint: str

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        """Check that a file holds an estimate within its interval where it is ok, and none elsewhere."""
        if (self.status == "ok") != (self.estimate is not None):
            raise ValueError("an estimate has status ok, mpp, mpp_low and mpp_high, an abstention none of them")
        if self.estimate is not None:
            mpp, low, high = self.estimate
            if not low <= mpp <= high:
                raise ValueError(f"mpp {mpp:g} does not lie in its interval, {low:g}–{high:g}")
        return self

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
    return read_document(path, Prediction, "prediction", "delete it and run again")
