"""The plots of a report: response curves, distribution of optimal mpp, true against predicted mpp."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.report.svg import PAGE, Colours, inline_svg, style
from wsi_scale.report.ticks import log_ticks, short
from wsi_scale.results.scale_map import ScaleMap
from wsi_scale.results.summary import quartiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MPP = "µm per pixel"
#: Bins of the histogram for each octave.
_BINS_PER_OCTAVE = 12


def curve_figure(
    rung_mpp: NDArray[np.float64],
    curves: NDArray[np.floating],
    finest_mpp: float,
    optimum_mpp: float,
    colours: Colours = PAGE,
) -> "Figure | None":
    """Draw the median response of a layer over tiles, with the band that holds the middle half of them.

    Parameters
    ----------
    rung_mpp
        (rung,) µm per pixel.
    curves
        (tile, rung); rungs without a value in any tile are left out.
    finest_mpp
        µm per pixel of level 0: what is finer is interpolated, and shaded.
    optimum_mpp
        Marked by a line.

    Returns
    -------
    Figure or None
        None where no rung has a value.
    """
    order = np.argsort(rung_mpp)
    seen = order[np.isfinite(curves[:, order]).any(axis=0)]
    if not len(seen):
        return None
    mpp = rung_mpp[seen]
    low, middle, high = np.nanpercentile(curves[:, seen], (25, 50, 75), axis=0)
    figure, axes = _blank(1.47, 1.25, colours)
    axes.fill_between(mpp, low, high, color=colours.accent, alpha=0.22, linewidth=0)
    axes.plot(mpp, middle, color=colours.accent, linewidth=1.6)
    sampled = mpp >= finest_mpp * (1 - 1e-9)
    axes.plot(mpp[sampled], middle[sampled], "o", color=colours.accent, markersize=2.6)
    axes.axvline(optimum_mpp, color=colours.second, linewidth=1.1)
    ends = float(mpp[0]) / 1.06, float(mpp[-1]) * 1.06
    if not sampled[0]:
        axes.axvspan(ends[0], min(finest_mpp, ends[1]), color=colours.faint, alpha=0.16, linewidth=0)
    _log_axis(axes, "x", *ends)
    axes.set_xlabel(_MPP)
    axes.set_ylabel("response")
    axes.set_ylim(bottom=min(0.0, float(low.min())))
    axes.locator_params(axis="y", nbins=3)
    return figure


def layer_figures(scale_map: ScaleMap, colours: Colours = PAGE) -> "Iterator[tuple[str, Figure]]":
    """Draw the curves of each layer that has any, over the tiles with an answer; (layer, figure)."""
    answered = np.isfinite(scale_map.optimal_mpp)
    median = quartiles(scale_map.optimal_mpp[answered]).median
    sampled = scale_map.rung_mpp[~scale_map.rung_interpolated]
    finest = float(sampled.min()) if len(sampled) else float("inf")
    for layer, values in scale_map.curves.items():
        figure = curve_figure(scale_map.rung_mpp, values[answered], finest, median, colours)
        if figure is not None:
            yield layer, figure


def distribution_figure(optimal_mpp: NDArray[np.floating], colours: Colours = PAGE) -> "Figure":
    """Draw how many tiles have which optimal mpp; (tile,), all finite."""
    from matplotlib.ticker import MaxNLocator

    octaves = np.log2(optimal_mpp.astype(np.float64))
    first = np.floor(octaves.min() * _BINS_PER_OCTAVE) - 2
    last = np.ceil(octaves.max() * _BINS_PER_OCTAVE) + 2
    edges = 2.0 ** (np.arange(first, last + 1) / _BINS_PER_OCTAVE)
    low, middle, high = 2.0 ** np.percentile(octaves, (25, 50, 75))
    figure, axes = _blank(2.9, 1.35, colours)
    axes.hist(optimal_mpp, bins=edges.tolist(), color=colours.accent, alpha=0.75, rwidth=0.92)
    axes.axvspan(low, high, color=colours.second, alpha=0.16, linewidth=0)
    axes.axvline(middle, color=colours.second, linewidth=1.3)
    _log_axis(axes, "x", float(edges[0]), float(edges[-1]))
    axes.set_xlabel(f"optimal mpp, {_MPP}")
    axes.set_ylabel("tiles")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    return figure


def agreement_plot(true_mpp: Sequence[float], predicted_mpp: Sequence[float], description: str) -> str:
    """Draw predicted against true mpp on logarithmic axes, with lines at equal and at a factor of 2."""
    both = np.array([*true_mpp, *predicted_mpp])
    ends = float(both.min()) / 1.25, float(both.max()) * 1.25
    figure, axes = _blank(4.2, 4.0, PAGE)
    line = np.array(ends)
    axes.plot(line, line, color=PAGE.ink, linewidth=0.9)
    for factor in (0.5, 2.0):
        axes.plot(line, line * factor, color=PAGE.faint, linewidth=0.8, dashes=(4, 3))
    axes.plot(true_mpp, predicted_mpp, "o", color=PAGE.accent, alpha=0.65, markersize=4.2, markeredgewidth=0)
    _log_axis(axes, "x", *ends)
    _log_axis(axes, "y", *ends)
    axes.set_aspect("equal")
    axes.set_xlabel("true mpp, µm/px")
    axes.set_ylabel("predicted mpp, µm/px")
    return inline_svg(figure, description)


def _blank(width_in: float, height_in: float, colours: Colours) -> "tuple[Figure, Axes]":
    """Make an empty figure with one pair of axes, without any state of pyplot."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(style(colours)):
        figure = Figure((width_in, height_in), dpi=72, layout="constrained")
        return figure, figure.add_subplot()


def _log_axis(axes: "Axes", which: str, low: float, high: float) -> None:
    """Make an axis logarithmic with round ticks, nothing between them."""
    from matplotlib.ticker import NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    set_scale, set_limits = (axes.set_xscale, axes.set_xlim) if which == "x" else (axes.set_yscale, axes.set_ylim)
    set_scale("log", base=2)
    set_limits(low, high)
    ticks = log_ticks(low, high)
    axis.set_ticks(ticks, [short(tick) for tick in ticks])
    axis.set_minor_locator(NullLocator())
