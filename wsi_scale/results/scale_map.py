"""The scale map of a slide: optimal µm per pixel of each place, how sure it is, and the response curves."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.tiles import TileGrid

#: Labels of the channels, by which readers find them: a later version may write more of them, in any order.
CHANNELS = ("optimal_mpp", "confidence", "tissue_fraction")


class Reason(enum.IntEnum):
    """Why a place of the map has no optimal mpp; the codes of ``labels/reason``."""

    ANSWERED = 0
    #: Less tissue than ``tiling.min_tissue``: no tile lies there.
    GLASS = 1
    #: The slide cannot be decoded there.
    UNREADABLE = 2
    #: Too few channels prefer a scale.
    NO_OPTIMUM = 3
    #: Most channels respond most at an end of the ladder.
    BEYOND_LADDER = 4
    #: A tile lies there and was left out.
    NOT_SEARCHED = 5


#: (red, green, blue) of places without an answer, told apart by everyone.
REASON_COLORS = {
    Reason.GLASS: (221, 221, 221),
    Reason.UNREADABLE: (204, 51, 17),
    Reason.NO_OPTIMUM: (136, 204, 238),
    Reason.BEYOND_LADDER: (170, 68, 153),
    Reason.NOT_SEARCHED: (153, 153, 51),
}


@dataclass(frozen=True)
class ScaleMap:
    """A scale map in memory.

    Attributes
    ----------
    grid
        The grid that it lies on.
    image
        (channel, row, col) float32, channels as in ``CHANNELS``: optimal mpp in µm/px, confidence 0–1, tissue
        fraction 0–1; NaN without answer.
    reason
        (row, col) uint8, a ``Reason`` each.
    curves
        Layer → (row, col, rung) float32.
    rung_mpp
        (rung,) µm per pixel.
    rung_interpolated
        (rung,) whether the rung is finer than level 0.
    attributes
        What the search was: method, network, layers, calibration, compute.
    """

    grid: TileGrid
    image: NDArray[np.float32]
    reason: NDArray[np.uint8]
    curves: Mapping[str, NDArray[np.float32]]
    rung_mpp: NDArray[np.float64]
    rung_interpolated: NDArray[np.bool_]
    attributes: Mapping[str, Any]

    def channel(self, label: str) -> NDArray[np.float32]:
        """Return the (row, col) values of the channel of a label."""
        values: NDArray[np.float32] = self.image[CHANNELS.index(label)]
        return values
