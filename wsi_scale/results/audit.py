"""The audit: each slide's claimed µm per pixel compared with the estimate from its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.html import facts_html
from wsi_scale.results.prediction import with_interval

Flag = Literal[
    "off_10x", "off_2x", "off_together", "mixed", "implausible", "missing", "unreadable", "no_estimate", "agrees",
]  # fmt: skip

#: Every flag, what most wants to be looked at first.
FLAGS: tuple[Flag, ...] = get_args(Flag)

#: Verdicts that find nothing wrong with a claim, or could look at none.
NOT_FLAGGED: tuple[Flag, ...] = ("unreadable", "no_estimate", "agrees")


@dataclass(frozen=True)
class AuditRow:
    """A slide's claim, its estimate and the verdict.

    Attributes
    ----------
    slide_id, path
        Of the slide.
    claimed_mpp, mpp_source
        The claim that is judged, and its source: ``override`` (a user gave it), ``metadata``, ``ome`` or ``tiff``
        (where in the file it is); None and ``missing`` if there is no claim.
    header_mpp, header_source
        What the file itself says and where in it, also if a user gave another one.
    mpp, mpp_low, mpp_high
        The estimate from the pixels; None if the estimator abstains.
    flag
        One of ``FLAGS``.
    reason
        One line.
    scanner
        Make, model and serial number as the file tells them; "" where it tells none. Slides of one scanner are judged
        together.

    Examples
    --------
    >>> import wsi_scale as ws
    >>> (row,) = ws.audit(["none.svs"])
    >>> row.flag, row.claim, row.estimate, row.flagged
    ('unreadable', None, None, False)
    """

    slide_id: str
    path: str
    claimed_mpp: float | None
    mpp_source: str
    header_mpp: float | None
    header_source: str
    mpp: float | None
    mpp_low: float | None
    mpp_high: float | None
    flag: Flag
    reason: str
    scanner: str = ""

    @property
    def claim(self) -> float | None:
        """The µm per pixel that is judged; None if there is no claim."""
        return self.claimed_mpp

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """(mpp, low, high), µm per pixel; None where the estimator abstains."""
        return with_interval(self.mpp, self.mpp_low, self.mpp_high)

    def _repr_html_(self) -> str:
        return facts_html("Audit", {"slide": self.slide_id, "flag": self.flag, "reason": self.reason})

    @property
    def flagged(self) -> bool:
        """Whether the claim is in doubt or missing."""
        return self.flag not in NOT_FLAGGED


@dataclass(frozen=True)
class CohortFinding:
    """What the slides of one scanner have in common.

    Attributes
    ----------
    scanner
        Theirs; "" of slides whose file tells none.
    slides
        How many of them have a claim and an estimate.
    shift_octaves, spread_octaves
        log2 of estimate over claim that they share, and how far single slides lie about it.
    off_together
        How many claims are probably wrong alike.
    off_octaves
        log2 of the estimate over these claims, relative to the other slides if there are any; 0 without any.
    """

    scanner: str
    slides: int
    shift_octaves: float
    spread_octaves: float
    off_together: int
    off_octaves: float


def unreadable_row(slide_id: str, path: str, reason: str) -> AuditRow:
    """Make the row of a slide that could not be read; ``reason`` is one line."""
    return AuditRow(slide_id, path, None, "missing", None, "missing", None, None, None, "unreadable", reason)


def count_flags(rows: Sequence[AuditRow]) -> dict[Flag, int]:
    """Count the rows of each flag that occurs, in the order of ``FLAGS``; the counts add up to all rows."""
    counts = {flag: sum(row.flag == flag for row in rows) for flag in FLAGS}
    return {flag: count for flag, count in counts.items() if count}


@dataclass(frozen=True, eq=False)
class AuditTile:
    """A tile, and how large its pixels are by the claim and by the estimate.

    Attributes
    ----------
    image
        (row, col, rgb).
    downsample
        Of level 0.
    claimed_mpp, estimated_mpp
        µm per pixel of this tile; None if there is no claim or estimate.
    """

    image: NDArray[np.uint8]
    downsample: int
    claimed_mpp: float | None
    estimated_mpp: float | None


@dataclass(frozen=True, eq=False)
class AuditedSlide:
    """A slide as the audit's page shows it.

    Attributes
    ----------
    row
        Its verdict.
    tiles
        Some of its tissue.
    warnings
        Warnings about the slide, one line each.
    """

    row: AuditRow
    tiles: tuple[AuditTile, ...] = ()
    warnings: tuple[str, ...] = ()
