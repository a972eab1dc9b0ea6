"""Figures of transfer: what small networks keep, and what tuning to each depth gains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsi_scale.artifacts.atomic import replacing_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
TASKS = {"xray": "pneumonia on X-rays", "pcam": "tumour on PatchCamelyon", "mpp": "µm per pixel on tissue"}
METRICS = {"auc": "area under the ROC curve", "median_octaves": "median error, octaves"}
#: Variant → colour and marker.
MARKS = {
    "frozen": ("black", "D"),
    "channel": ("#1f4e8c", "o"),
    "basis": ("#e07b00", "s"),
    "channel+basis": ("#2a9d8f", "^"),
    "basis+channel": ("#8e5ea2", "v"),
    "magnitude": ("0.55", "X"),
    "scratch": ("#b5443c", "P"),
}
COLORS = ("#1f4e8c", "#2a9d8f", "#e07b00")


def draw_small(table: Mapping[str, Mapping[str, Row]], path: Path) -> None:
    """Draw the metric against parameters and against time, one column a task.

    A bar is the 95 % interval of the paired difference to the frozen network, whose metric the line marks.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(table), 6.2), layout="constrained")
    panels = figure.subplots(2, len(table), squeeze=False)
    for column, (task, rows) in enumerate(table.items()):
        for line, (label, of) in enumerate((("parameters of the convolutions", _parameters), ("ms per tile", _ms))):
            axes = panels[line][column]
            for variant, row in rows.items():
                color, marker = MARKS[variant]
                below, above = _interval(row, rows["frozen"])
                axes.errorbar(of(row), row["metric"], [[below], [above]], color=color, marker=marker, label=variant)
            axes.axhline(rows["frozen"]["metric"], color="black", linewidth=0.6)
            axes.set(xscale="log", xlabel=label, ylabel=METRICS[rows["frozen"]["metric_name"]])
            axes.set_title(TASKS[task] if line == 0 else "", loc="left", fontsize=10)
        _write_plainly(panels[1][column])
    _finish(figure, panels.ravel().tolist(), path)


def draw_tuning(table: Mapping[str, Mapping[str, Mapping[str, Row]]], path: Path) -> None:
    """Draw the metric against depth and against time of training, one column a dataset.

    A bar is the 95 % interval of the paired difference to the head alone.
    Networks that were truncated to their lowest blocks are dashed, at the number of blocks they keep.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7.2, 3.6 * len(table)), 6.2), layout="constrained")
    panels = figure.subplots(2, len(table), squeeze=False)
    for column, (dataset, architectures) in enumerate(table.items()):
        for color, (name, rows) in zip(COLORS, architectures.items(), strict=False):
            for truncated in (False, True):
                chosen = {k: r for k, r in rows.items() if k.startswith("truncated") == truncated}
                if chosen:
                    style = {"color": color, "marker": "s" if truncated else "o", "ls": "--" if truncated else "-"}
                    label = name + (", truncated" if truncated else "")
                    _draw_depths(panels[:, column].tolist(), chosen, rows["0"], style, label)
        metric = next(iter(next(iter(architectures.values())).values()))["metric_name"]
        for axes in panels[:, column]:
            axes.set_ylabel(METRICS[metric])
        panels[0][column].set_xlabel("blocks tuned (truncated: kept)")
        panels[1][column].set(xscale="log", xlabel="seconds of training")
        _write_plainly(panels[1][column])
        panels[0][column].set_title(TASKS[dataset], loc="left", fontsize=10)
    _finish(figure, panels.ravel().tolist(), path)


def _draw_depths(
    panels: Sequence["Axes"], rows: Mapping[str, Row], head_alone: Row, style: dict[str, Any], label: str
) -> None:
    from matplotlib.ticker import MaxNLocator

    depths = [int(name.split()[-1]) for name in rows]
    metric = [row["metric"] for row in rows.values()]
    bars = list(zip(*(_interval(row, head_alone) for row in rows.values()), strict=True))
    panels[0].errorbar(depths, metric, bars, label=label, **style)
    panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    seconds = [row["seconds"] for row in rows.values()]
    panels[1].errorbar(seconds, metric, bars, label=label, **style | {"ls": "none"})
    for depth, x, y in zip(depths, seconds, metric, strict=True):
        panels[1].annotate(str(depth), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=8)


def _write_plainly(axes: "Axes") -> None:
    """Write 1, 2, 5, 10 … along a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _parameters(row: Row) -> float:
    return float(row["parameters"])


def _ms(row: Row) -> float:
    return 1000 / float(row["tiles_per_second"])


def _interval(row: Row, frozen: Row) -> tuple[float, float]:
    """How far the interval of the difference reaches below and above the metric, in the metric's own direction."""
    sign = -1 if frozen["metric_name"] == "median_octaves" else 1
    ends = sorted(frozen["metric"] + sign * row[key] for key in ("difference_low", "difference_high"))
    return max(0.0, row["metric"] - ends[0]), max(0.0, ends[1] - row["metric"])


def _finish(figure: "Figure", panels: Sequence["Axes"], path: Path) -> None:
    for axes in panels:
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    with replacing_file(path) as part:
        figure.savefig(part, dpi=110, format="png")
