"""What a file claims as its pixel size, where in the file, and which claim is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wsi_scale.units import is_plausible_mpp

Authority = Literal["metadata", "ome", "tiff"]
MppSource = Literal[Authority, "override", "estimated", "missing"]

#: Whoever can say how large a slide's pixels are, in words.
SOURCE_NAMES = {
    "override": "given by you",
    "metadata": "the scanner's metadata",
    "ome": "OME metadata",
    "tiff": "TIFF resolution tags",
    "estimated": "estimated from pixels",
}

#: Usable claims of one file that differ by more than this factor along either axis disagree.
_DISAGREEING = 1.1


@dataclass(frozen=True)
class MppClaim:
    """What one source within a file claims about level 0.

    Attributes
    ----------
    authority
        ``metadata`` (the scanner's own), ``ome`` (OME-XML or OME-Zarr) or ``tiff`` (resolution tags, ImageJ's unit
        included).
    x, y
        µm per pixel along each axis, as they stand: they may be implausible or not finite.
    is_default
        Whether it is what programs write that know no pixel size: then it is told, and never used.
    """

    authority: Authority
    x: float
    y: float
    is_default: bool = False

    @property
    def mean(self) -> float:
        """µm per pixel, mean of both axes."""
        return (self.x + self.y) / 2

    @property
    def usable(self) -> bool:
        """Whether both axes are plausible, and somebody meant them."""
        return not self.is_default and is_plausible_mpp(self.x) and is_plausible_mpp(self.y)

    @property
    def name(self) -> str:
        """The source in words."""
        return SOURCE_NAMES[self.authority]


def believed(claims: Sequence[MppClaim]) -> MppClaim | None:
    """Choose the claim that is used.

    Parameters
    ----------
    claims
        Highest authority first.

    Returns
    -------
    MppClaim or None
        The first usable one; where none is, the first, so that it can be shown; None without any.

    Examples
    --------
    >>> believed([MppClaim("metadata", 1000.0, 1000.0), MppClaim("ome", 0.25, 0.25)]).authority
    'ome'
    """
    return next((claim for claim in claims if claim.usable), claims[0] if claims else None)


def disagree(claims: Sequence[MppClaim]) -> bool:
    """Whether usable claims of one file differ by more than 10 % along an axis.

    Examples
    --------
    >>> disagree([MppClaim("ome", 0.25, 0.25), MppClaim("tiff", 0.5, 0.5)])
    True
    """
    usable = [claim for claim in claims if claim.usable]
    axes = ([claim.x for claim in usable], [claim.y for claim in usable])
    return any(max(values) > _DISAGREEING * min(values) for values in axes if values)
