"""The verdict of an audit: whether the µm per pixel that a slide claims agrees with the estimate from its pixels."""

import math
from dataclasses import dataclass

from wsi_scale.results.audit import Flag

#: Claim and estimate further apart than this (octaves, and outside the interval) are flagged: halfway to 2x.
OFF_OCTAVES = 0.5
#: From here on the claim is closer to off by 10 than by 2 (octaves: the mean of log2 2 and log2 10).
OFF_10X_OCTAVES = (1 + math.log2(10)) / 2


@dataclass(frozen=True)
class Claim:
    """A µm per pixel, and who claims it.

    Attributes
    ----------
    mpp
        µm per pixel of level 0.
    usable
        Whether it is within 0.05–50 µm/px.
    given
        Whether a user gave it; else the header says it.
    header_mpp
        What the header says where a user gave another one; None if nothing.
    """

    mpp: float
    usable: bool
    given: bool = False
    header_mpp: float | None = None

    def __str__(self) -> str:
        """Describe the claim in words.

        >>> str(Claim(0.25, True)), str(Claim(0.25, True, given=True, header_mpp=0.499))
        ('header says 0.25 µm/px', 'you gave 0.25 µm/px (the header says 0.499)')
        """
        said = _digits(self.mpp)
        if not self.given:
            return f"header says {said} µm/px"
        header = "nothing" if self.header_mpp is None else _digits(self.header_mpp)
        return f"you gave {said} µm/px (the header says {'the same' if header == said else header})"


@dataclass(frozen=True)
class Verdict:
    """A flag and its reason in one line."""

    flag: Flag
    reason: str


def judge(
    claim: Claim | None,
    estimate: tuple[float, float, float] | None,
    *,
    mixed: str = "",
    no_estimate: str = "",
    why_missing: str = "",
) -> Verdict:
    """Compare a slide's claim with its estimate.

    Parameters
    ----------
    claim
        What a user gave or the header says; None if there is no claim.
    estimate
        (mpp, low, high) estimated from the pixels; None if the estimator abstains.
    mixed
        How parts of the slide disagree; "" if they do not.
    no_estimate
        Why there is no estimate.
    why_missing
        Why there is no claim, if that is known.
    """
    because = f" ({no_estimate})" if no_estimate else ""
    quoted = quoted_estimate(*estimate) if estimate else ""
    ending = f"; {quoted}" if estimate else f"; no estimate{because}" if no_estimate else ""
    if claim is None:
        return Verdict("missing", f"{why_missing or 'no mpp in the header'}{ending}")
    if not claim.usable:
        return Verdict("implausible", f"{claim}{ending}")
    if mixed:
        return Verdict("mixed", f"{claim}, but {mixed}")
    if estimate is None:
        return Verdict("no_estimate", f"{claim}; no estimate to compare with{because}")
    mpp, low, high = estimate
    distance = math.log2(claim.mpp / mpp)
    if low <= claim.mpp <= high or abs(distance) < OFF_OCTAVES:
        return Verdict("agrees", f"{claim}; {quoted}")
    return Verdict(off_flag(distance), f"{claim}, but {quoted}")


def off_flag(distance_octaves: float) -> Flag:
    """Tell a claim that is off by about 2 from one that is off by about 10."""
    return "off_10x" if abs(distance_octaves) > OFF_10X_OCTAVES else "off_2x"


def quoted_estimate(mpp: float, low: float, high: float) -> str:
    """Quote an estimate and its interval, µm per pixel, in a verdict's reason.

    >>> quoted_estimate(0.25, 0.2, 0.3125)
    'estimated from pixels: 0.25 µm/px (0.2–0.312)'
    """
    return f"estimated from pixels: {mpp:.3g} µm/px ({low:.3g}–{high:.3g})"


def _digits(mpp: float) -> str:
    return f"{mpp:.4g}" if mpp < 1e4 else f"{mpp:.0f}"
