"""The figure of docs/performance.md: speed against the error on planted nuclei, of networks and ladders.

    python -m benchmarks.performance.figure

Draws docs/images/performance.png from results/bench/performance.json and benchmarks/truth.json.
"""

import json
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.data import RESULTS

TRUTH = Path(__file__).parents[1] / "truth.json"
TARGET = Path(__file__).parents[2] / "docs" / "images" / "performance.png"
NAMES = {"embedded": "embedded", "vgg19": "VGG19"}


def draw(speed: dict[str, dict[str, float]], truth: dict[str, dict[str, dict[str, float]]]) -> Figure:
    """Draw both ladders of each network.

    Parameters
    ----------
    speed
        Network → way → tiles per second.
    truth
        Network → method → figures, as ``benchmarks.truth`` writes them.
    """
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for network, name in NAMES.items():
        error = truth[network]["covariant"]["deviation_octaves"]
        full, adaptive = speed[network]["full"], speed[network]["adaptive"]
        axes.plot([full, adaptive], [error] * 2, "o-")
        for x, text, side in ((full, f"{name}, full ladder", -1), (adaptive, "adaptive ladder", 1)):
            axes.annotate(
                text, (x, error), xytext=(8 * side, 0), textcoords="offset points", va="center", size=9,
                ha="left" if side > 0 else "right",
            )  # fmt: skip
    axes.set(
        xscale="log", xlabel="tiles per second, 2 cores (log)", ylabel="deviation on planted nuclei, octaves",
        xlim=(0.2, 300), ylim=(0, 0.2),
    )  # fmt: skip
    axes.set_xticks([1, 3, 10, 30, 100], labels=["1", "3", "10", "30", "100"])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Draw."""
    measured = json.loads((RESULTS / "performance.json").read_text(encoding="utf-8"))["cpu"]["tiles_per_second"]
    draw(measured, json.loads(TRUTH.read_text(encoding="utf-8"))).savefig(TARGET, dpi=150)


if __name__ == "__main__":
    main()
