"""Pictures of the tests: planted radii, known factors, measured nuclei, confidence, stability."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.truth.figures import Finding, Numbers

#: (network, method) → test → what it found.
Findings = Mapping[tuple[str, str], Mapping[str, Finding]]


def draw_all(findings: Findings, folder: Path) -> list[Path]:
    """Draw every picture for which there are findings, and return their paths."""
    drawn = {
        "truth.png": _panels(findings, "planted", _planted),
        "truth-factors.png": _panels(findings, "metamorphic", _factors),
        "truth-nuclei.png": _panels(findings, "nuclei", _nuclei),
        "truth-confidence.png": _panels(findings, "confidence", _confidence),
        "truth-stability.png": _panels(findings, "stability", _stability),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        figure.savefig(folder / name, dpi=110)
    return [folder / name for name in drawn]


def _panels(findings: Findings, test: str, draw: Any) -> Figure:
    """One panel an estimator; constants draw nothing, nor does what tells no radius in µm where nuclei are measured."""
    made = {key: tests[test] for key, tests in findings.items() if test in tests and key[0] != "constant"}
    shown = {key: finding for key, finding in made.items() if finding.figures.get("bias_octaves", 0) is not None}
    width = 4.6 if test == "stability" else 3.0
    figure = Figure(figsize=(width * max(1, len(shown)), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, max(1, len(shown)), sharey=True))
    for axes, ((network, method), found) in zip(panels, shown.items(), strict=False):
        axes.set_title(f"{network}, {method}", size=10)
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, found)
    return figure


def _planted(axes: Axes, found: Finding) -> None:
    radius, mpp = (2.0 ** found.points[name] for name in ("log2_radius", "log2_mpp"))
    points = axes.scatter(radius, mpp, s=8, c=found.points["confidence"], cmap="viridis", vmin=0, vmax=1)
    ends = np.array([1.5, 8])
    axes.plot(ends, ends * np.nanmedian(mpp / radius), "k--", lw=1)
    axes.set(xscale="log", yscale="log", xlabel="planted radius, µm", ylabel="optimal mpp, µm/px")
    axes.set_xticks([2, 4, 8], labels=["2", "4", "8"])
    axes.set_yticks([0.25, 0.5, 1, 2], labels=["¼", "½", "1", "2"])
    axes.minorticks_off()
    axes.text(0.04, 0.96, f"slope {found.figures['slope']:+.3f} ± {found.figures['slope_error']:.3f}",
              transform=axes.transAxes, va="top", size=8)  # fmt: skip
    axes.figure.colorbar(points, ax=axes, label="confidence", shrink=0.8)


def _factors(axes: Axes, found: Finding) -> None:
    factor, followed = found.points["log2_factor"], found.points["followed"]
    axes.axline((0, 0), slope=1, color="k", ls="--", lw=1)
    axes.scatter(factor, followed, s=9, alpha=0.7)
    axes.set(
        xlabel="known factor, octaves", ylabel="change of the optimal mpp, octaves", xlim=(-1.3, 1.3), ylim=(-2, 2)
    )


def _nuclei(axes: Axes, found: Finding) -> None:
    truth, estimate = (2.0 ** found.points[name] for name in ("truth", "found"))
    axes.scatter(truth, estimate, s=14, alpha=0.8)
    ends = np.array([2.2, 5.2])
    axes.plot(ends, ends * np.nanmedian(estimate / truth), "k--", lw=1)
    axes.set(xscale="log", yscale="log", xlabel="measured radius, µm", ylabel="estimated radius, µm")
    ratio, (low, high) = found.figures["ratio"], found.figures["ratio_interval"]
    axes.text(
        0.04,
        0.96,
        f"sd {ratio:.2f} of a constant's\n({low:.2f}–{high:.2f})",
        transform=axes.transAxes,
        va="top",
        size=8,
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([2, 3, 4, 6], labels=["2", "3", "4", "6"])
    axes.minorticks_off()


def _confidence(axes: Axes, found: Finding) -> None:
    for name, label in (("planted", "planted"), ("hard", "planted, harder"), ("nuclei", "nuclei, tiles")):
        if f"{name}_errors" not in found.points:
            continue
        confidence, errors = found.points[f"{name}_confidence"], found.points[f"{name}_errors"]
        middle, rms = reliability(confidence, errors, 5 if name != "nuclei" else 3)
        if len(middle):
            axes.plot(middle, rms, "o-", label=label)
    axes.set(xlabel="confidence", ylabel="error, octaves (root mean square)", xlim=(0, 1), ylim=(0, None))
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)


def _stability(axes: Axes, found: Finding) -> None:
    names = list(found.points)
    size = [np.abs(found.points[name]) for name in names]
    places = np.arange(len(names))
    low, middle, high = (np.array([np.nanquantile(each, share) for each in size]) for share in (0.1, 0.5, 0.9))
    axes.hlines(places, low, high, color="C0", lw=2)
    axes.plot(middle, places, "o", color="C0")
    axes.set_yticks(places, labels=names, size=8)
    axes.set(xlabel="absolute change, octaves", xlim=(0, None))


def reliability(confidence: Numbers, errors: Numbers, parts: int) -> tuple[Numbers, Numbers]:
    """Mean confidence and root mean square error, less one bias, of equal parts by confidence; empty of too few."""
    known = np.isfinite(errors) & np.isfinite(confidence)
    if known.sum() < 3 * parts or np.ptp(confidence[known]) == 0:
        return np.zeros(0), np.zeros(0)
    sure, error = confidence[known], errors[known] - np.median(errors[known])
    groups = np.array_split(np.argsort(sure, kind="stable"), parts)
    return np.array([sure[g].mean() for g in groups]), np.array([np.sqrt(np.mean(error[g] ** 2)) for g in groups])
