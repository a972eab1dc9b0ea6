"""Regions that a user drew on a slide, and what the tiles in each of them say."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.summary import Quartiles, quartiles

if TYPE_CHECKING:
    from wsi_scale.results.scale_map import ScaleMap
    from wsi_scale.results.tiles import TileTable

#: A ring of (x, y) corners in level-0 pixels: (corner, 2).
Ring = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Region:
    """An outlined part of a slide.

    Attributes
    ----------
    name
        As the annotation is called; without a name, its class; without either, ``region`` and its number in the file.
    label
        Name of its class; "" without one.
    polygons
        Of each part, its outline and then its holes, in level-0 pixels.
    """

    name: str
    label: str
    polygons: tuple[tuple[Ring, ...], ...]

    @property
    def top(self) -> tuple[float, float]:
        """(x, y) of its highest corner, level-0 pixels: where its name stands."""
        corners = np.concatenate([rings[0] for rings in self.polygons])
        x, y = corners[corners[:, 1].argmin()].tolist()
        return x, y


@dataclass(frozen=True)
class RegionSummary:
    """The tiles of a region in a few numbers; regions of one name and class count together.

    Attributes
    ----------
    name, label
        Name and class.
    tiles, answered
        How many lie in it, and how many of them have an optimal mpp.
    optimal_mpp
        Quartiles over these, µm per pixel; None where none has one.
    """

    name: str
    label: str
    tiles: int
    answered: int
    optimal_mpp: Quartiles | None


def sum_up_regions(tiles: "TileTable", scale_map: "ScaleMap | None") -> tuple[RegionSummary, ...]:
    """Sum up the tiles of each region that has any, in order of the names; () where no regions were given."""
    if tiles.region is None or tiles.region_class is None:
        return ()
    optimal = np.full(len(tiles), np.nan) if scale_map is None else scale_map.optimal_mpp[tiles.row, tiles.col]
    found = []
    named = tiles.region != ""
    for name, label in sorted(set(zip(tiles.region[named].tolist(), tiles.region_class[named].tolist(), strict=True))):
        within = (tiles.region == name) & (tiles.region_class == label)
        answers = optimal[within & np.isfinite(optimal)]
        middle = quartiles(answers) if len(answers) else None
        found.append(RegionSummary(name, label, int(within.sum()), len(answers), middle))
    return tuple(found)
