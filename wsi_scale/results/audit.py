"""The audit: every slide's claim of µm per pixel compared with what its pixels show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.html import facts_html
from wsi_scale.results.prediction import with_interval

Flag = Literal["off_10x", "off_2x", "mixed", "implausible", "missing", "unreadable", "no_estimate", "agrees"]

#: Every flag, what most wants to be looked at first.
FLAGS: tuple[Flag, ...] = get_args(Flag)

#: Verdicts that find nothing wrong with a claim, or could look at none.
_NOT_FLAGGED: tuple[Flag, ...] = ("unreadable", "no_estimate", "agrees")


@dataclass(frozen=True)
class AuditRow:
    """A slide's claim, its estimate and the verdict.

    Attributes
    ----------
    slide_id, path
        Of the slide.
    claimed_mpp, mpp_source
        The claim that is judged, and whose it is: ``override`` (a user gave it), ``metadata``, ``ome`` or ``tiff``
        (who in the file says it); None and ``missing`` where nobody says anything.
    header_mpp, header_source
        What the file itself says and who in it, also where a user gave another one.
    mpp, mpp_low, mpp_high
        What the pixels look like; None where the estimator abstains.
    flag
        One of ``FLAGS``.
    reason
        One line.
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

    @property
    def claim(self) -> float | None:
        """The µm per pixel that is judged; None where nobody gives any."""
        return self.claimed_mpp

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """(mpp, low, high), µm per pixel; None where the estimator abstains."""
        return with_interval(self.mpp, self.mpp_low, self.mpp_high)

    def _repr_html_(self) -> str:
        return facts_html("Audit", {"slide": self.slide_id, "flag": self.flag, "reason": self.reason})

    @property
    def flagged(self) -> bool:
        """Whether something speaks against the claim, or nobody says anything."""
        return self.flag not in _NOT_FLAGGED


def unreadable_row(slide_id: str, path: str, reason: str) -> AuditRow:
    """Make the row of a slide that could not be looked at; ``reason`` is one line."""
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
        µm per pixel of this tile; None where there is no such thing.
    """

    image: NDArray[np.uint8]
    downsample: int
    claimed_mpp: float | None
    estimated_mpp: float | None


@dataclass(frozen=True, eq=False)
class AuditedSlide:
    """What the page shows of a slide.

    Attributes
    ----------
    row
        Its verdict.
    tiles
        Some of its tissue.
    warnings
        What is odd about the slide, one line each.
    """

    row: AuditRow
    tiles: tuple[AuditTile, ...] = ()
    warnings: tuple[str, ...] = ()
