"""The committed figures and the pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.data import IMAGES
from benchmarks.helps.corrections import (
    PREDICT_COHORT,
    PREDICT_IMAGE,
    PREDICT_REAL,
    PREDICT_RELATIVE,
    PREDICT_SLIDE,
    SEARCH_COHORT,
    SEARCH_IMAGE,
    SEARCH_SLIDE,
    TRUE,
    UNCORRECTED,
)
from benchmarks.helps.radius import TERTILES
from benchmarks.helps.wrong_mpp import AUGMENTED, PLAIN, RESAMPLED
from wsi_scale.artifacts.atomic import replacing_file

NETWORKS = {"embedded": "embedded", "squeezenet1_1": "SqueezeNet 1.1", "vgg19": "VGG19"}
#: Rows of the picture of wrong mpps, top to bottom.
ARMS = (
    "right mpp", UNCORRECTED, TRUE, PREDICT_IMAGE, PREDICT_SLIDE, PREDICT_REAL, PREDICT_COHORT, PREDICT_RELATIVE,
    SEARCH_IMAGE, SEARCH_SLIDE, SEARCH_COHORT,
)  # fmt: skip
COLORS = {PLAIN: "#1f77b4", RESAMPLED: "#2ca02c", AUGMENTED: "#d95f02"}
TAB = ("#1f77b4", "#d95f02", "#2ca02c")
#: Arms that are followed over the factors.
CURVES = {
    f"{PLAIN}, right mpp": ("0.3", ":"),
    f"{PLAIN}, {UNCORRECTED}": ("0.3", "-"),
    f"{PLAIN}, {PREDICT_REAL}": ("#1f77b4", "--"),
    f"{PLAIN}, {PREDICT_COHORT}": ("#1f77b4", "-"),
    f"{RESAMPLED}, {PREDICT_COHORT}": ("#2ca02c", "-"),
    f"{AUGMENTED}, {UNCORRECTED}": ("#d95f02", "-"),
}


def draw_wrong_mpp(parts: Mapping[str, Any], folder: Path = IMAGES) -> None:
    """Draw accuracy by factor, and AUC over all factors with its interval, a picture a network."""
    from matplotlib.figure import Figure

    for network, part in parts.items():
        figure = Figure(figsize=(11, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for arm, (color, style) in CURVES.items():
            accuracy = part["arms"][arm]["accuracy_by_factor"]
            left.plot(part["octaves"], accuracy, color=color, linestyle=style, marker="o", ms=4, label=arm)
        left.set_xticks(part["octaves"], ["0.5", "0.71", "1", "1.41", "2"])
        left.set(xlabel="true mpp over claimed mpp", ylabel="accuracy", title=f"{NETWORKS[network]} features")
        left.legend(frameon=False, fontsize=8)
        _draw_arms(right, part["arms"])
        _save(figure, folder / f"helps-wrong-mpp-{network}.png")


def _draw_arms(axes: Any, arms: Mapping[str, Any]) -> None:
    shown = [arm for arm in ARMS if f"{PLAIN}, {arm}" in arms]
    for shift, (name, color) in zip((-0.2, 0.0, 0.2), COLORS.items(), strict=True):
        rows = [arms[f"{name}, {arm}"]["auc"] for arm in shown]
        _draw_intervals(axes, rows, shift, color, name)
    axes.axvline(arms[f"{AUGMENTED}, {UNCORRECTED}"]["auc"]["value"], color=COLORS[AUGMENTED], lw=0.8, ls="--")
    axes.set_yticks(range(len(shown)), shown)
    axes.invert_yaxis()
    axes.set(xlabel="AUC over factors of 0.5–2")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))


def _draw_intervals(axes: Any, rows: list[dict[str, float]], shift: float, color: str, label: str) -> None:
    for place, row in enumerate(rows):
        axes.plot([row["low"], row["high"]], [place + shift] * 2, color=color, lw=1.5)
    axes.scatter(
        [row["value"] for row in rows], [place + shift for place in range(len(rows))], color=color, label=label
    )


def draw_optimal(parts: Mapping[str, Any], path: Path = IMAGES / "helps-optimal.png") -> None:
    """Draw each arm's difference to the best fixed mpp, a panel a task."""
    from matplotlib.figure import Figure

    tasks = list(next(iter(parts.values())))
    figure = Figure(figsize=(10, 2.8), layout="constrained")
    for axes, task in zip(figure.subplots(1, len(tasks)), tasks, strict=True):
        for shift, color, (network, part) in zip((-0.2, 0.0, 0.2), TAB, parts.items(), strict=False):
            arms = [arm for arm in part[task]["arms"] if arm != "best fixed"]
            rows = [part[task]["arms"][arm]["difference"] for arm in arms]
            _draw_intervals(axes, rows, shift, color, NETWORKS[network])
            axes.set_yticks(range(len(arms)), arms)
        axes.axvline(0, color="0.5", lw=0.8)
        metric = "AUC above" if part[task]["metric"] == "auc" else "error below"
        axes.locator_params(axis="x", nbins=5)
        axes.set(title=task, xlabel=f"{metric} that at the best fixed mpp", ylim=(len(arms) - 0.5, -0.5))
    figure.axes[0].legend(frameon=False, fontsize=8)
    _save(figure, path)


def draw_radius(part: Mapping[str, Any], path: Path = IMAGES / "helps-radius.png") -> None:
    """Draw the error of single fields against confidence, with the spread of each third."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(part), 3.6), layout="constrained")
    panels = figure.subplots(1, len(part), sharey=True, squeeze=False)[0]
    for axes, (network, found) in zip(panels, part.items(), strict=True):
        row = found["weighted by area"]
        for number, name in enumerate(TERTILES):
            points = [(x, y) for x, y, third in row["points"] if third == number]
            spread = row[f"sd, {name} confident third"]["value"]
            axes.scatter(*zip(*points, strict=True), s=14, label=f"{name} confident third: sd {spread:.2f}")
        axes.axhline(0, color="0.5", lw=0.8)
        axes.set(title=NETWORKS[network], xlabel="confidence of the search")
        axes.legend(frameon=False, fontsize=8)
    figure.axes[0].set(ylabel="log2 radius read over measured,\nless the bias, octaves")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    with replacing_file(path) as part:
        figure.savefig(part, dpi=90, format="png")
