"""Values as colours, and their legend."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsi_scale.report.ticks import log_ticks, short
from wsi_scale.results.scale_map import MEANINGS

#: Share of the values (percent) that the legend covers; the few outside take the colour of its ends.
_COVERED = (2.0, 98.0)
#: A legend spans at least this many octaves, so that noise does not look like structure.
_LEAST_OCTAVES = 1.0


#: Tiles of a lower confidence are hidden at first where a map is looked at: their answer may be of anything.
LEAST_CONFIDENCE = 0.3


@dataclass(frozen=True)
class ColorScale:
    """A perceptually uniform colour scale.

    Attributes
    ----------
    colormap
        Its name in matplotlib.
    low, high
        Values at its ends.
    logarithmic
        Whether equal ratios, not equal differences, are equal steps of colour.
    label
        What it shows, with its unit.
    mpp_per_um
        Optimal mpp of a structure of 1 µm radius, on a scale of optimal mpp; None where it is not known.
    """

    colormap: Literal["viridis", "cividis"]
    low: float
    high: float
    logarithmic: bool
    label: str
    mpp_per_um: float | None = None

    def places(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where values lie on the scale: 0 at its low, 1 at its high end, NaN stays."""
        low, high, wide = self.low, self.high, values.astype(np.float64)
        if self.logarithmic:
            low, high, wide = np.log2(low), np.log2(high), np.log2(wide)
        return np.asarray(np.clip((wide - low) / (high - low), 0.0, 1.0))

    def paint(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Colour values; (…,) → (…, rgba), NaN transparent."""
        from matplotlib import colormaps

        places = self.places(values)
        painted = colormaps[self.colormap](np.nan_to_num(places), bytes=True)
        painted[..., 3] = np.where(np.isnan(places), 0, 255)
        return np.asarray(painted, np.uint8)

    def ticks(self) -> list[tuple[float, str]]:
        """(place, text) of the legend's ticks."""
        values = log_ticks(self.low, self.high) if self.logarithmic else [0.0, 0.25, 0.5, 0.75, 1.0]
        return [(float(self.places(np.array(v))), short(v)) for v in values]

    def radius_ticks(self) -> list[tuple[float, str]]:
        """(place, text) of ticks at radii in µm along the same legend; none where they are not known."""
        if self.mpp_per_um is None:
            return []
        radii = log_ticks(self.low / self.mpp_per_um, self.high / self.mpp_per_um)
        return [(float(self.places(np.array(radius * self.mpp_per_um))), short(radius)) for radius in radii]


def mpp_scale(optimal_mpp: NDArray[np.floating], mpp_per_um: float | None = None) -> ColorScale:
    """Make a logarithmic colour scale for the values of a map (at least one must be finite)."""
    octaves = np.log2(optimal_mpp[np.isfinite(optimal_mpp)].astype(np.float64))
    low, high = np.percentile(octaves, _COVERED)
    missing = max(0.0, _LEAST_OCTAVES - (high - low)) / 2
    ends = 2.0 ** np.array([low - missing, high + missing])
    return ColorScale("viridis", float(ends[0]), float(ends[1]), True, "optimal mpp, µm/px", mpp_per_um)


CONFIDENCE_SCALE = ColorScale("cividis", 0.0, 1.0, False, "confidence")


def channel_scale(label: str, values: NDArray[np.floating], mpp_per_um: float | None = None) -> ColorScale | None:
    """Make the colour scale of a channel of a scale map; None where it has no value.

    Parameters
    ----------
    label
        Of the channel, as in ``MEANINGS``.
    values
        Its values; NaN where there is none.
    mpp_per_um
        Optimal mpp of a structure of 1 µm radius, for the second legend of the optimal mpp.
    """
    title, unit, _ = MEANINGS[label]
    if not np.isfinite(values).any():
        return None
    if unit == "1":
        return replace(CONFIDENCE_SCALE, label=title)
    return replace(mpp_scale(values, mpp_per_um if label == "optimal_mpp" else None), label=f"{title}, {unit}")
