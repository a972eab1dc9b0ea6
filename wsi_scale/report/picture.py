"""A slide and a channel of its scale map as one picture to show: scale bars, colours with their legend, no axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.report.colors import LEAST_CONFIDENCE, ColorScale, channel_scale
from wsi_scale.report.pictured import PicturedSlide, read_pictured
from wsi_scale.report.plots import distribution_figure, layer_figures
from wsi_scale.report.region_names import place_names
from wsi_scale.report.svg import DAYLIGHT, style
from wsi_scale.report.ticks import log_ticks, round_length, short
from wsi_scale.report.words import count_text
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import MEANINGS, Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

#: Kinds of picture, by the suffix of the file.
SUFFIXES = (".png", ".svg", ".pdf")
#: Inches: the longer side of a slide in a picture, and the least that its shorter side takes.
_LONGEST_IN, _SHORTEST_IN = 4.4, 2.2
#: Inches beside the two slides for the legend, and above and beneath them for titles, scale bars and counts.
_BESIDE_IN, _ABOVE_IN = 1.7, 1.15
_DPI = 160
#: Plots are small, so that several stand beside each other on paper; as a PNG they need more dots.
_PLOT_DPI = 400
#: How far the slide under a map is faded to white, and how strong the map is on it.
_FADED, _STRENGTH = 0.25, 0.72
#: Size of a region's name, points.
_NAME_PT = 8
#: Largest share of the slide's width that a scale bar takes.
_BAR_SHARE = 0.25


@dataclass(frozen=True)
class Shown:
    """What a picture shows.

    Attributes
    ----------
    channel
        Its label, as in ``MEANINGS``.
    least_confidence
        Tiles of a lower confidence are left out, 0–1.
    """

    channel: str = "optimal_mpp"
    least_confidence: float = LEAST_CONFIDENCE


def plot_slide(folder: Path, target: Path, shown: Shown) -> None:
    """Write the picture of a slide's map.

    Parameters
    ----------
    folder
        The slide's own folder of results.
    target
        The file; its suffix says what it becomes.

    Raises
    ------
    ConfigError
        There is no such channel, or no such kind of picture.
    ArtifactError
        The results are missing or damaged, or the picture cannot be written.
    """
    if shown.channel not in MEANINGS:
        raise ConfigError(f"there is no channel {shown.channel!r}; choose one of {', '.join(MEANINGS)}")
    if target.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{target}: name a file that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    save_picture(draw_picture(read_pictured(folder), shown), target)


def plot_all(folder: Path, target: Path, least_confidence: float = LEAST_CONFIDENCE) -> list[Path]:
    """Write every figure that a report has of a slide, each as SVG and as PNG.

    Parameters
    ----------
    folder
        The slide's own folder of results.
    target
        Folder to write into; made if it is missing.
    least_confidence
        Tiles of a lower confidence are left out of the maps, 0–1.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ArtifactError
        The results are missing or damaged, no tile has an answer, or a file cannot be written.
    """
    slide = read_pictured(folder)
    scale_map = slide.scale_map
    figures = {
        label: (draw_picture(slide, Shown(label, least_confidence)), _DPI)
        for label in ("optimal_mpp", "dominant_radius_um", "confidence")
        if np.isfinite(scale_map.channel(label)).any()
    }
    answers = scale_map.optimal_mpp[np.isfinite(scale_map.optimal_mpp)]
    if len(answers):
        figures |= {layer: (figure, _PLOT_DPI) for layer, figure in layer_figures(scale_map, DAYLIGHT)}
        figures["distribution"] = distribution_figure(answers, DAYLIGHT), _PLOT_DPI
    paths = []
    for name, (figure, dpi) in figures.items():
        for suffix in (".svg", ".png"):
            paths.append(target / f"{folder.resolve().name}-{name}{suffix}")
            save_picture(figure, paths[-1], dpi)
    return paths


def draw_picture(slide: PicturedSlide, shown: Shown) -> "Figure":
    """Draw the slide, and beside it the map on the slide; regions are outlined on both.

    Raises
    ------
    ArtifactError
        No tile has a value that is sure enough.
    """
    from matplotlib.figure import Figure

    scale_map, thumbnail = slide.scale_map, slide.thumbnail
    values, hidden = _sure(scale_map, shown)
    per_um = scale_map.attributes.get("optimal_mpp_per_um")
    scale = channel_scale(shown.channel, scale_map.channel(shown.channel), per_um)
    if scale is None or not np.isfinite(values).any():
        why = f"; {count_text(hidden, 'tile')} of a confidence below {shown.least_confidence:g}" if hidden else ""
        raise ArtifactError(f"no tile has a value of {MEANINGS[shown.channel].title} to show{why}")
    grid = scale_map.grid
    width, height = grid.slide_width * grid.mpp_x, grid.slide_height * grid.mpp_y
    inches = _LONGEST_IN / max(width, height)
    panel = max(width * inches, _SHORTEST_IN), max(height * inches, _SHORTEST_IN)
    figure = Figure((2 * panel[0] + _BESIDE_IN, panel[1] + _ABOVE_IN), layout="constrained")
    figure.suptitle(slide.slide_id, fontsize=10, fontweight="bold", wrap=True)
    plain, mapped = figure.subplots(1, 2)
    pale = (255 - (255 - thumbnail.astype(np.float32)) * (1 - _FADED)).astype(np.uint8)
    for axes, image, title in ((plain, thumbnail, "the slide"), (mapped, pale, MEANINGS[shown.channel].title)):
        axes.imshow(image, extent=(0, width, height, 0), interpolation="antialiased")
        axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
        axes.set_title(title, fontsize=10)
        axes.add_artist(_bar(axes, width))
        _outline(axes, slide.regions, grid, 1 / (72 * inches))
    left, top, right, bottom = _extent(grid)
    painted = scale.paint(values)
    mapped.imshow(
        painted, extent=(left, right, bottom, top), interpolation="nearest", alpha=_STRENGTH * painted[..., 3] / 255
    )
    mapped.set(xlim=(0, width), ylim=(height, 0))
    _legend(mapped, scale)
    figure.supxlabel(_counts(values, scale_map, hidden, shown), fontsize=8)
    return figure


def _counts(values: NDArray[np.float32], scale_map: ScaleMap, hidden: int, shown: Shown) -> str:
    """Say how many tiles are shown, and why others are not."""
    tiles, drawn = int((scale_map.reason != Reason.GLASS).sum()), int(np.isfinite(values).sum())
    words = [f"{drawn} of {count_text(tiles, 'tile')} shown"]
    if hidden:
        words.append(f"{hidden} of a confidence below {shown.least_confidence:g} not shown")
    if silent := tiles - drawn - hidden:
        words.append(f"{silent} without an answer")
    return "; ".join(words)


def _outline(axes: "Axes", regions: Sequence[Region], grid: TileGrid, point_um: float) -> None:
    """Outline regions, in µm, and write their names beneath their highest corners; a point of text is ``point_um``."""
    from matplotlib.patheffects import withStroke

    scale = grid.mpp_x, grid.mpp_y
    white = [withStroke(linewidth=2.5, foreground="white")]
    for ring in (ring for region in regions for rings in region.polygons for ring in rings):
        closed = np.concatenate([ring, ring[:1]]) * scale
        axes.plot(*closed.T, color=DAYLIGHT.ink, linewidth=1.0, path_effects=white)
    tops = (np.multiply(region.top, scale).tolist() for region in regions)
    names = [(x + 3 * point_um, max(y, 0.0), own.name) for (x, y), own in zip(tops, regions, strict=True)]
    letter, line = 0.6 * _NAME_PT * point_um, 1.2 * _NAME_PT * point_um
    for x, y, name in place_names(names, letter, line, grid.slide_width * grid.mpp_x):
        if name:
            axes.annotate(
                name, (x, y), (0, -3), textcoords="offset points", ha="left", va="top", fontsize=_NAME_PT,
                color=DAYLIGHT.ink, path_effects=white, annotation_clip=True,
            )  # fmt: skip


def save_picture(figure: "Figure", target: Path, dpi: int = _DPI) -> None:
    """Write a figure; the same figure gives the same bytes.

    Parameters
    ----------
    dpi
        Dots an inch of a PNG.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    from matplotlib import rc_context

    kind = target.suffix.lower().lstrip(".")
    dated: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    with replacing_file(target) as part, rc_context(style(DAYLIGHT)):
        figure.savefig(part, format=kind, dpi=dpi, facecolor="white", metadata=dated[kind])


def _sure(scale_map: ScaleMap, shown: Shown) -> tuple[NDArray[np.float32], int]:
    """Return the channel without what is not sure enough, and how many tiles that is."""
    values = scale_map.channel(shown.channel)
    if MEANINGS[shown.channel].unit == "1":
        return values, 0
    unsure = np.isfinite(values) & ~(scale_map.confidence >= shown.least_confidence)
    return np.where(unsure, np.float32(np.nan), values), int(unsure.sum())


def _extent(grid: TileGrid) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the map on the slide, µm: each cell lies around its tile's centre."""
    margin = (grid.tile_px * grid.mpp - grid.step_um) / 2
    return margin, margin, margin + grid.cols * grid.step_um, margin + grid.rows * grid.step_um


def _bar(axes: "Axes", width_um: float) -> "AnchoredSizeBar":
    """Make a scale bar of a round length; it lies beneath the slide, so that it hides no tile."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    length = round_length(_BAR_SHARE * width_um)
    words = f"{short(length / 1e3)} mm" if length >= 1e3 else f"{short(length)} µm"
    return AnchoredSizeBar(
        axes.transData, length, words, "upper right", pad=0, borderpad=0.3, sep=3, size_vertical=width_um / 120,
        frameon=False, bbox_to_anchor=(1, 0), bbox_transform=axes.transAxes,
    )  # fmt: skip


def _legend(axes: "Axes", scale: ColorScale) -> None:
    """Add the colours with their values; of an optimal mpp also the dominant radius that belongs to each."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    norm = (LogNorm if scale.logarithmic else Normalize)(scale.low, scale.high)
    doubled = scale.mpp_per_um is not None
    place = axes.inset_axes((1.22 if doubled else 1.05, 0, 0.06, 1))
    bar = place.figure.colorbar(ScalarMappable(norm, scale.colormap), cax=place)
    ticks = log_ticks(scale.low, scale.high) if scale.logarithmic else [0.0, 0.25, 0.5, 0.75, 1.0]
    bar.set_ticks(ticks, labels=[short(tick) for tick in ticks])
    bar.ax.minorticks_off()
    bar.set_label(scale.label)
    if scale.mpp_per_um is None:
        return
    per_um = scale.mpp_per_um

    def radius_of(mpp: NDArray[np.float64]) -> NDArray[np.float64]:
        return mpp / per_um

    def mpp_of(radius_um: NDArray[np.float64]) -> NDArray[np.float64]:
        return radius_um * per_um

    radii = bar.ax.secondary_yaxis("left", functions=(radius_of, mpp_of))  # type: ignore[arg-type]
    radii.set_yscale("log")
    ticks = log_ticks(scale.low / per_um, scale.high / per_um)
    radii.set_yticks(ticks, labels=[short(tick) for tick in ticks], minor=False)
    radii.minorticks_off()
    radii.set_ylabel("dominant radius, µm")
