"""A slide's results in a few numbers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.audit import AuditRow
from wsi_scale.results.strict import STRICT


@dataclass(frozen=True)
class Quartiles:
    """Median and middle half of some values."""

    __pydantic_config__ = STRICT

    low: float
    median: float
    high: float


def quartiles(values: NDArray[np.floating]) -> Quartiles:
    """Sum up finite values by their quartiles.

    Examples
    --------
    >>> quartiles(np.array([1.0, 2.0, 3.0]))
    Quartiles(low=1.5, median=2.0, high=2.5)
    """
    low, median, high = (float(v) for v in np.percentile(values, (25, 50, 75)))
    return Quartiles(low, median, high)


@dataclass(frozen=True)
class SlideSummary:
    """What became of a slide.

    Attributes
    ----------
    slide_id
        Its name in all results.
    status, reason
        ok, empty or failed; one line for what is not ok, and for parts of the slide that have no results.
    tiles
        Number of tiles with tissue; None where none were placed.
    answered
        How many of them have an optimal mpp; None where there is no scale map.
    optimal_mpp
        Of the tiles with an answer, µm per pixel; None if there are none, or the slide is not brightfield tissue.
    dominant_radius_um
        The same of the dominant radius, µm; None with the published method too.
    verdict
        The audit's: estimate from the pixels with its interval, what the header says, flag and reason.
    warnings
        One line each: about the file, then about its µm per pixel.
    """

    __pydantic_config__ = STRICT

    slide_id: str
    status: Literal["ok", "empty", "failed"]
    reason: str
    tiles: int | None
    answered: int | None
    optimal_mpp: Quartiles | None
    dominant_radius_um: Quartiles | None
    verdict: AuditRow
    warnings: tuple[str, ...]

    @property
    def answered_share(self) -> float | None:
        """Share of the tiles that have an optimal mpp, 0–1; None without tiles or without a scale map."""
        return self.answered / self.tiles if self.tiles and self.answered is not None else None
