"""µm per pixel estimated from a slide's pixels."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from wsi_scale.results.html import facts_html
from wsi_scale.results.strict import STRICT

#: Reason of a slide with a dark background.
DARK_BACKGROUND = "dark background: no brightfield tissue"
#: Start of the reason for a slide that is not like the regressor's training images.
UNLIKE_TISSUE = "does not look like brightfield tissue"


def with_interval(mpp: float | None, low: float | None, high: float | None) -> tuple[float, float, float] | None:
    """Join an estimate and its interval; None if one of them is missing."""
    if mpp is None or low is None or high is None:
        return None
    return mpp, low, high


@dataclass(frozen=True)
class Prediction:
    """An estimate for level 0.

    Attributes
    ----------
    mpp, mpp_low, mpp_high
        µm per pixel and its interval; None unless ok.
    status
        ok, or abstained.
    reason
        Why there is no estimate; "" where there is one.
    views
        Number of views, over all downsamples.
    by_downsample
        Downsample → estimate for level 0, µm per pixel.
    mixed
        How parts of the slide disagree; "" where they do not.

    Examples
    --------
    >>> import wsi_scale as ws
    >>> found = ws.Prediction(0.25, 0.21, 0.3, "ok", "", views=96, by_downsample={"1": 0.25}, mixed="")
    >>> found.estimate, found.low, found.high
    ((0.25, 0.21, 0.3), 0.21, 0.3)
    """

    __pydantic_config__ = STRICT

    mpp: PositiveFloat | None
    mpp_low: PositiveFloat | None
    mpp_high: PositiveFloat | None
    status: Literal["ok", "abstained"]
    reason: str
    views: Annotated[int, Field(ge=0)]
    by_downsample: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")], PositiveFloat]
    mixed: str

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
    def is_brightfield(self) -> bool:
        """Whether the slide is stained tissue in transmitted light; if not, no other result is valid for it."""
        return not self.reason.startswith((DARK_BACKGROUND, UNLIKE_TISSUE))

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """(mpp, low, high), or None where there is none."""
        return with_interval(self.mpp, self.mpp_low, self.mpp_high)

    @property
    def low(self) -> float | None:
        """Lower end of the interval, µm per pixel; None without an estimate."""
        return self.mpp_low

    @property
    def high(self) -> float | None:
        """Upper end of the interval, µm per pixel; None without an estimate."""
        return self.mpp_high

    def _repr_html_(self) -> str:
        if self.estimate is None:
            return facts_html("µm per pixel", {"status": self.status, "reason": self.reason})
        mpp, low, high = self.estimate
        facts = {"status": self.status, "mpp": f"{mpp:.3g} µm/px", "interval": f"{low:.3g}–{high:.3g} µm/px"}
        return facts_html("µm per pixel", facts | ({"mixed": self.mixed} if self.mixed else {}))
