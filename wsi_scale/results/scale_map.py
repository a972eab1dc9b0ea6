"""The scale map of a slide: optimal µm per pixel and confidence of each tile position, and the response curves."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsi_scale.results.html import facts_html, figure_html
from wsi_scale.results.tiles import TileGrid

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize


class Meaning(NamedTuple):
    """What a channel holds, in words; its unit is "1" for a share."""

    title: str
    unit: str
    words: str


#: Label of each channel → what it holds; the store and ``to_xarray`` say the same.
MEANINGS: Mapping[str, Meaning] = {
    "optimal_mpp": Meaning(
        "optimal mpp",
        "µm/px",
        "µm per pixel at which the dominant round structure of the tile has the size to which the network's channels "
        "respond most; NaN without an answer",
    ),
    "confidence": Meaning(
        "confidence",
        "1",
        "covariant: share of the calibrated channels that answer × exp(−spread / 0.5), where spread is 1.4826 × the "
        "median absolute deviation of the log2 radii that they give, octaves; published: share of the layers that vote",
    ),
    "tissue_fraction": Meaning("share of tissue", "1", "share of the place that is tissue"),
    "finest_mpp": Meaning(
        "finest mpp", "µm/px", "µm per pixel of the finest rung that was computed; NaN without a tile"
    ),
    "dominant_radius_um": Meaning(
        "dominant radius",
        "µm",
        "radius (of the circle of the same area) of the nuclei that the calibrated channels follow, or of what they "
        "follow in their place; NaN without an answer and for the published method",
    ),
}
#: Labels of the channels, by which readers find them: a later version may write more of them, in any order.
CHANNELS = tuple(MEANINGS)


class Reason(enum.IntEnum):
    """Why a tile position has no optimal mpp; the codes of ``labels/reason``.

    Examples
    --------
    >>> import wsi_scale as ws
    >>> [ws.Reason(code).name for code in (0, 1, 3)]
    ['ANSWERED', 'GLASS', 'NO_OPTIMUM']
    """

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

    @property
    def label(self) -> str:
        """Name of the code in the store, in tables and in reports: ``no_optimum``, ..."""
        return self.name.lower()


#: (red, green, blue) of places without an answer, told apart by everyone.
REASON_COLORS = {
    Reason.GLASS: (221, 221, 221),
    Reason.UNREADABLE: (204, 51, 17),
    Reason.NO_OPTIMUM: (136, 204, 238),
    Reason.BEYOND_LADDER: (170, 68, 153),
    Reason.NOT_SEARCHED: (153, 153, 51),
}


@dataclass(frozen=True, eq=False)
class ScaleMap:
    """A scale map in memory.

    Attributes
    ----------
    grid
        The grid that it lies on.
    image
        (channel, row, col) float32, channels as in ``CHANNELS``, units and meanings as in ``MEANINGS``; NaN without
        answer.
    reason
        (row, col) uint8, a ``Reason`` each.
    curves
        Layer → (row, col, rung) float32; NaN on rungs that were not computed.
    rung_mpp
        (rung,) µm per pixel.
    rung_interpolated
        (rung,) whether the rung is finer than level 0.
    attributes
        What the search was: method, network, layers, compute, and of a covariant search ``optimal_mpp_per_um``: the
        optimal mpp of a structure of 1 µm radius.

    Examples
    --------
    >>> import numpy as np, wsi_scale as ws
    >>> image = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    >>> tiles = ws.tile_slide(image, slide_mpp=0.5, method="none", tile_px=400)
    >>> scale_map = ws.search_scale(image, tiles, layers=["C3_1"], method="published")
    >>> scale_map.confidence.shape, list(scale_map.to_xarray())[:2], scale_map.to_xarray().optimal_mpp.units
    ((1, 2), ['optimal_mpp', 'confidence'], 'µm/px')
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

    @property
    def optimal_mpp(self) -> NDArray[np.float32]:
        """(row, col) µm per pixel at which the network responds most to the tissue; NaN without an optimum."""
        return self.channel("optimal_mpp")

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(row, col) how many calibrated channels answer and how well they agree, 0–1; NaN without a tile."""
        return self.channel("confidence")

    @property
    def tissue_fraction(self) -> NDArray[np.float32]:
        """(row, col) share of each place that is tissue, 0–1."""
        return self.channel("tissue_fraction")

    @property
    def finest_mpp(self) -> NDArray[np.float32]:
        """(row, col) µm per pixel of the finest rung that was computed: a settled answer needs no finer one."""
        return self.channel("finest_mpp")

    @property
    def dominant_radius_um(self) -> NDArray[np.float32]:
        """(row, col) radius in µm of the nuclei, or of what the channels follow in their place; NaN without one."""
        return self.channel("dominant_radius_um")

    def unanswered(self) -> dict[Reason, int]:
        """Count the places that have no optimal mpp for each reason that occurs, glass left out."""
        codes, counts = np.unique(self.reason, return_counts=True)
        found = {Reason(code): int(count) for code, count in zip(codes, counts, strict=True)}
        return {reason: count for reason, count in found.items() if reason not in (Reason.ANSWERED, Reason.GLASS)}

    def to_xarray(self) -> "xarray.Dataset":
        """Return the map, the reasons and the curves as one labelled data set.

        Coordinates ``y_um`` and ``x_um`` are the centres of the tiles from the slide's top left corner, µm.
        """
        import xarray as xr

        place = ("row", "col")
        maps: dict[str, Any] = {
            label: (place, self.channel(label), {"units": meaning.unit, "long_name": meaning.title})
            for label, meaning in MEANINGS.items()
        }
        maps["reason"] = (
            place,
            self.reason,
            {"flag_values": [int(r) for r in Reason], "flag_meanings": " ".join(r.label for r in Reason)},
        )
        curves = {"curves": (("layer", *place, "rung"), np.stack(list(self.curves.values())))} if self.curves else {}
        half = self.grid.tile_px * self.grid.mpp / 2
        coordinates = {
            "y_um": ("row", np.arange(self.grid.rows) * self.grid.step_um + half),
            "x_um": ("col", np.arange(self.grid.cols) * self.grid.step_um + half),
            "mpp": ("rung", self.rung_mpp),
            "interpolated": ("rung", self.rung_interpolated),
        } | ({"layer": list(self.curves)} if self.curves else {})
        said = {name: value for name, value in self.attributes.items() if isinstance(value, str | int | float)}
        return xr.Dataset(maps | curves, coordinates, said)

    def plot(self, ax: "Axes | None" = None, channel: str = "optimal_mpp", **imshow: Any) -> "Axes":
        """Draw the optimal µm per pixel, or another channel, on the slide; axes in mm.

        Parameters
        ----------
        ax
            Axes to draw on; by default those of a new figure of ``matplotlib.pyplot``.
        channel
            Its label: ``dominant_radius_um``, ...
        imshow
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`: ``cmap``, ``alpha``, ...; ``vmin`` and ``vmax`` in
            the channel's unit, by default the 2nd and 98th percentile. What is no share has a logarithmic scale unless
            ``norm`` is given.
        """
        from matplotlib.ticker import FuncFormatter

        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(layout="constrained")[1]
        height, width = (count * self.grid.step_um / 1e3 for count in (self.grid.rows, self.grid.cols))
        options = {"extent": (0, width, height, 0), "interpolation": "nearest"} | imshow
        values, (title, unit, _) = self.channel(channel), MEANINGS[channel]
        if "norm" not in options and unit != "1":
            options["norm"] = _norm(values, options.pop("vmin", None), options.pop("vmax", None))
        drawn = ax.imshow(values, **options)
        bar = ax.figure.colorbar(drawn, label=title if unit == "1" else f"{title}, {unit}")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        bar.ax.yaxis.set_major_formatter(plain)
        bar.ax.yaxis.set_minor_formatter(plain)
        ax.set(xlabel="mm", ylabel="mm", title=f"{self.attributes.get('network', '')}")
        return ax

    def __repr__(self) -> str:
        return f"ScaleMap({'; '.join(f'{name}: {value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        self.plot(figure.subplots())
        return facts_html("Scale map", self._facts(), figure_html(figure, "optimal µm per pixel on the slide"))

    def _facts(self) -> dict[str, object]:
        answered = np.isfinite(self.optimal_mpp)
        tiles = int((self.reason != Reason.GLASS).sum())
        facts: dict[str, object] = {"places": f"{self.grid.rows} × {self.grid.cols}"}
        facts["answered"] = f"{int(answered.sum())} of {tiles} tiles"
        if without := self.unanswered():
            facts["without an answer"] = ", ".join(f"{count} {reason.label}" for reason, count in without.items())
        for label in ("optimal_mpp", "dominant_radius_um"):
            values = self.channel(label)
            if np.isfinite(values).any():
                low, middle, high = np.nanpercentile(values, (25, 50, 75))
                title, unit, _ = MEANINGS[label]
                facts[title] = f"median {middle:.3g} {unit} (quartiles {low:.3g}–{high:.3g})"
        return facts | {name: self.attributes[name] for name in ("network", "method") if name in self.attributes}


def _norm(values: NDArray[np.float32], vmin: float | None, vmax: float | None) -> "Normalize | None":
    """Return a logarithmic scale of colours; None where all values are one, so that there is none."""
    from matplotlib.colors import LogNorm

    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (2, 98)) if len(np.unique(finite)) > 1 else (None, None)
    ends = (low if vmin is None else vmin, high if vmax is None else vmax)
    return None if ends == (None, None) else LogNorm(*ends)
