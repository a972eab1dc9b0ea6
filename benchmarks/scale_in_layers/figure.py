"""Figures of the results: R² over the layers, one panel a network."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.scale_in_layers.lines import LABELS, PROJECTED, RANDOM, RIDGE, SHUFFLED, SPECTRUM, Line
from benchmarks.scale_in_layers.photograph_lines import AREA, EVERY_SIZE, OTHER_SIZE, SIDE, SIZE
from benchmarks.scale_in_layers.results import Results
from benchmarks.scale_in_layers.tissue_lines import ONE_NATIVE, TARGET
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.magnification.probes import Floats, figure_of_merit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Axis = Literal["r2", "exp"]
#: (target, line, legend, style)
Curve = tuple[str, str, str, dict[str, Any]]

_CONTROLS = {RANDOM: "#c44e52", SHUFFLED: "#8c8c8c"}


def scale_curves(target: str) -> list[Curve]:
    """Choose the main lines and controls of a target."""
    curves: list[Curve] = [
        (target, RIDGE, f"{target}, ridge", {"color": "#1f4e8c", "marker": "o"}),
        (target, PROJECTED, f"{target}, projected to one width", {"color": "#2a9d8f", "marker": "s"}),
    ]
    if target == SIDE:
        curves.append((AREA, RIDGE, f"{AREA}, ridge", {"color": "#7aa6d9", "marker": "o", "linestyle": ":"}))
    if target == TARGET:
        style = {"color": "#7aa6d9", "marker": "o", "linestyle": ":"}
        curves.append((TARGET, ONE_NATIVE, "log2 mpp, ridge, fields of 0.25 µm/px only", style))
    return curves + [
        (target, name, f"{target}, {name}, ridge", {"color": color, "marker": "."}) for name, color in _CONTROLS.items()
    ]


#: Controls without layers → dashes.
_LEVELS = {LABELS: "--", SPECTRUM: "-."}
SIZE_CURVES: list[Curve] = [
    (SIDE, EVERY_SIZE, "side ratio, fitted and tested at every image size", {"color": "#1f4e8c", "marker": "o"}),
    (SIDE, OTHER_SIZE, "side ratio, tested at another size than fitted", {"color": "#2a9d8f", "marker": "s"}),
    (SIZE, EVERY_SIZE, "image size, the same images", {"color": "#e07b00", "marker": "^"}),
]


def draw_all(results: Results, axis: Axis, path: Path) -> list[Path]:
    """Draw a task's figures at ``path`` and beside it; returns where."""
    if results.task == "tissue":
        return [draw(results, scale_curves(TARGET), _LEVELS, axis, path)]
    beside = path.with_stem(f"{path.stem}-size")
    return [draw(results, scale_curves(SIDE), _LEVELS, axis, path), draw(results, SIZE_CURVES, {}, axis, beside)]


def draw(results: Results, curves: Sequence[Curve], levels: Mapping[str, str], axis: Axis, path: Path) -> Path:
    """Draw curves over the layers, one panel a network: mean and standard deviation of the repetitions."""
    from matplotlib.figure import Figure

    networks = list(results.titles)
    figure = Figure(figsize=(9, 0.6 + 3.2 * len(networks)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(networks), 1))
    for axes, network in zip(panels, networks, strict=True):
        for target, name, legend, style in curves:
            _draw_curve(axes, results.of(network, target, name), axis, legend, style)
        for name, dashes in levels.items():
            _draw_level(axes, results.of(network, curves[0][0], name), axis, dashes)
        _dress(axes, results.titles[network], axis)
    handles, legends = panels[0].get_legend_handles_labels()
    figure.legend(handles, legends, loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    with replacing_file(path) as part:
        figure.savefig(part, dpi=120, format="png")
    return path


def _draw_curve(axes: "Axes", lines: Sequence[Line], axis: Axis, legend: str, style: dict[str, Any]) -> None:
    shown = [(line, _shown(line, axis)) for line in lines if line.r2]
    if not shown:
        return
    depth = [line.depth for line, _ in shown]
    mean = np.array([values.mean() for _, values in shown])
    spread = np.array([values.std(ddof=1) for _, values in shown])
    axes.plot(depth, mean, markersize=4, linewidth=1.4, label=legend, **style)
    axes.fill_between(depth, mean - spread, mean + spread, color=style["color"], alpha=0.15, linewidth=0)
    axes.set_xticks(depth, labels=[line.layer for line, _ in shown])


def _draw_level(axes: "Axes", lines: Sequence[Line], axis: Axis, dashes: str) -> None:
    for line in lines:
        level = _shown(line, axis).mean()
        axes.axhline(level, color="#555555", linestyle=dashes, linewidth=1, label=f"{line.line} alone")


def _dress(axes: "Axes", title: str, axis: Axis) -> None:
    axes.tick_params(axis="x", labelsize=8)
    if len(axes.get_xticks()) > 12:
        for name in axes.get_xticklabels():
            name.set(rotation=60, ha="right", rotation_mode="anchor")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.axhline(0 if axis == "r2" else 1 / math.e, color="black", linewidth=0.6)
    axes.set_ylim((-0.3, 1.0) if axis == "r2" else (0, 1.0))
    axes.set_ylabel("R² on unseen groups" if axis == "r2" else "exp(R²)/e")
    axes.spines[["top", "right"]].set_visible(False)


def _shown(line: Line, axis: Axis) -> Floats:
    r2 = np.array(line.r2)
    return r2 if axis == "r2" else figure_of_merit(r2)
