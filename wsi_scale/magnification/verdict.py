"""What an audit says of a slide: whether its header agrees with its look."""

import math
from dataclasses import dataclass
from typing import Literal

Flag = Literal["none", "missing", "implausible", "off_2x", "off_10x", "mixed"]

#: Header and estimate further apart than this (octaves, and outside the interval) are flagged: halfway to 2x.
OFF_OCTAVES = 0.5
#: From here on the header is closer to off by 10 than by 2 (octaves: the mean of log2 2 and log2 10).
OFF_10X_OCTAVES = (1 + math.log2(10)) / 2


@dataclass(frozen=True)
class Verdict:
    """A flag and its reason in one line."""

    flag: Flag
    reason: str


def judge(
    claimed_mpp: float | None,
    usable: bool,
    estimate: tuple[float, float, float] | None,
    *,
    mixed: str = "",
    no_estimate: str = "",
) -> Verdict:
    """Hold a slide's claim against its estimate.

    Parameters
    ----------
    claimed_mpp
        µm per pixel that metadata or an override claims; None where nothing does.
    usable
        Whether the claim is within 0.05–50 µm/px.
    estimate
        (mpp, low, high) read from the pixels; None where the estimator abstains.
    mixed
        How parts of the slide disagree; "" where they do not.
    no_estimate
        Why there is no estimate.
    """
    because = f" ({no_estimate})" if no_estimate else ""
    quoted = f"pixels look like {estimate[0]:.3g} µm/px ({estimate[1]:.3g}–{estimate[2]:.3g})" if estimate else ""
    ending = f"; {quoted}" if estimate else f"; no estimate{because}" if no_estimate else ""
    if claimed_mpp is None:
        return Verdict("missing", f"no mpp in the header{ending}")
    if not usable:
        return Verdict("implausible", f"header says {claimed_mpp:.6g} µm/px{ending}")
    if mixed:
        return Verdict("mixed", f"header says {claimed_mpp:.4g} µm/px, but {mixed}")
    if estimate is None:
        return Verdict("none", f"header says {claimed_mpp:.4g} µm/px; no estimate to hold against it{because}")
    mpp, low, high = estimate
    distance = math.log2(claimed_mpp / mpp)
    if low <= claimed_mpp <= high or abs(distance) < OFF_OCTAVES:
        return Verdict("none", f"header says {claimed_mpp:.4g} µm/px; {quoted}")
    flag: Flag = "off_10x" if abs(distance) > OFF_10X_OCTAVES else "off_2x"
    return Verdict(flag, f"header says {claimed_mpp:.4g} µm/px, but {quoted}")
