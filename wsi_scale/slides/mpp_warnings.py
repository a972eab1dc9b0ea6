"""Warnings about a slide's µm per pixel: one line for the user, and the doubt it raises."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wsi_scale.slides.mpp_claim import SOURCE_NAMES, MppClaim, MppSource, disagree
from wsi_scale.units import PLAUSIBLE_MPP, POWER_TOLERANCE, agrees_with_power, is_plausible_mpp, mpp_from_power

#: Why a µm per pixel is not used for fitting: axes differ; far from the objective's; the file claims two values.
MppDoubt = Literal["axes", "objective", "sources"]

#: How a user gives what the slide does not say.
HOW_TO_GIVE_MPP = "give it with --mpp (Python: mpp= of open_slide or run) or in the sheet's mpp column"

#: How the warning of a slide without µm per pixel begins.
MISSING = "mpp is missing"

PLAUSIBLE_RANGE = f"{PLAUSIBLE_MPP[0]:g}–{PLAUSIBLE_MPP[1]:g}"

#: Relative difference from which x and y, or header and override, count as different.
_DIFFERENT = 0.01


@dataclass(frozen=True)
class MppWarning:
    """A line for the user, and the doubt it raises (None: none)."""

    text: str
    doubt: MppDoubt | None = None


def about_override(override: float, header: MppClaim | None) -> list[MppWarning]:
    """Warn if the user's µm per pixel and the file's differ by more than 1 %."""
    if header is None or math.isclose(override, header.mean, rel_tol=_DIFFERENT):
        return []
    said = f"{header.mean:.4g} in the header ({header.name})"
    return [MppWarning(f"mpp {override:.4g} µm/px, as given by you, differs from {said}; yours is used")]


def about_default(claim: MppClaim) -> str:
    """Say why a claim that is a program's default does not count.

    Examples
    --------
    >>> about_default(MppClaim("tiff", 1000.0, 1000.0, is_default=True))
    "header says 1000 µm/px, a converter's default: not used"
    """
    return f"header says {_size(claim)} µm/px, a converter's default: not used"


def about_claims(claims: Sequence[MppClaim]) -> list[MppWarning]:
    """Warn of claims of one file that contradict each other.

    Parameters
    ----------
    claims
        Highest authority first.

    Returns
    -------
    list of MppWarning
        One for each implausible claim that would outrank a usable one, and one where usable claims disagree.
    """
    usable = [claim for claim in claims if claim.usable]
    if not usable:
        return []
    best = f"{_size(usable[0])} ({usable[0].name})"
    said = [
        MppWarning(f"mpp {claim.mean:.4g} µm/px ({claim.name}) lies outside {PLAUSIBLE_RANGE}; {best} is used")
        for claim in claims[: claims.index(usable[0])]
    ]
    if disagree(usable):
        listed = ", ".join(f"{_size(claim)} ({claim.name})" for claim in usable)
        text = f"the file claims several mpp: {listed} µm/px; the first is used, but not trusted for training"
        said.append(MppWarning(text, "sources"))
    return said


def about_mpp(
    mpp_xy: tuple[float, float] | None, source: MppSource, power: float | None, why_missing: str = ""
) -> list[MppWarning]:
    """Warn of everything that is wrong with the µm per pixel that is used.

    Parameters
    ----------
    mpp_xy
        µm per pixel along x and y; None if missing.
    source
        Who says so.
    power
        The objective's, if it is known.
    why_missing
        Why the file says nothing, where its reader knows that.
    """
    if mpp_xy is None:
        return [MppWarning(f"{MISSING}{f': {why_missing}' if why_missing else ''}; {HOW_TO_GIVE_MPP}")]
    x, y = mpp_xy
    mean = (x + y) / 2
    named = f"mpp {mean:.4g} µm/px ({SOURCE_NAMES[source]})"
    if not (is_plausible_mpp(x) and is_plausible_mpp(y)):
        return [MppWarning(f"{named} lies outside {PLAUSIBLE_RANGE} and is not used; {HOW_TO_GIVE_MPP}")]
    said = []
    if abs(x - y) > _DIFFERENT * mean:
        text = f"mpp differs along x ({x:.4g}) and y ({y:.4g} µm/px); each axis is read at its own mpp"
        said.append(MppWarning(text, "axes"))
    if power is not None and not agrees_with_power(mean, power):
        suggested = f"{mpp_from_power(power):.4g} that objective {power:g}x suggests"
        factor = f"more than {POWER_TOLERANCE} times larger or smaller than"
        text = f"{named} is {factor} the {suggested}; not trusted for training"
        said.append(MppWarning(text, "objective"))
    return said


def _size(claim: MppClaim) -> str:
    """Both axes, or one number if they agree."""
    same = abs(claim.x - claim.y) <= _DIFFERENT * claim.mean
    return f"{claim.mean:.4g}" if same else f"{claim.x:.4g} × {claim.y:.4g}"
