"""The table, the document and the figure."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.data import RESULTS
from benchmarks.nuclei.store import FOLDER
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.documents import read_json, write_json

FIGURE = Path("docs/images/nuclei-full-vs-pruned.png")
#: Ratios of MAE in px², pruned over full, that Graziani et al. print: a reference, not a target (2020, table 2).
PUBLISHED_RATIOS = {"InceptionV3": 0.67, "ResNet50": 0.78}
#: The order in which the figure shows readings and networks, with the names that it has room for.
READINGS = {"linear": "linear head", "kernel": "kernel head", "fine-tuned": "fine-tuned"}
NETWORKS = {"vgg19": "VGG19", "squeezenet1_1": "SqueezeNet", "embedded": "embedded"}
FULL, PRUNED = "#7f7f7f", "#1f77b4"


def write_part(part: str, summary: dict[str, Any]) -> None:
    """Write and print the summary of one part, ``frozen`` or ``finetuned``."""
    print_table(summary)
    write_json(FOLDER / f"{part}.json", summary)
    print(f"wrote {FOLDER / f'{part}.json'}")


def write_report() -> None:
    """Join both parts, print and draw them."""
    frozen, finetuned = (read_json(FOLDER / f"{part}.json") for part in ("frozen", "finetuned"))
    whole = {
        "published_ratios_px2": PUBLISHED_RATIOS,
        "references": frozen["references"],
        "arms": frozen["arms"] + finetuned["arms"],
        "ratios": frozen["ratios"] + finetuned["ratios"],
    }
    tuned = {row["network"] for row in finetuned["ratios"]}
    whole["not_evaluated"] = [f"{name}, fine-tuned: no GPU" for name in NETWORKS if name not in tuned]
    print_table(whole)
    for missing in whole["not_evaluated"]:
        print("not evaluated:", missing)
    write_json(RESULTS / "nuclei.json", whole)
    draw(whole, FIGURE)
    print(f"wrote {RESULTS / 'nuclei.json'} and {FIGURE}")


def print_table(summary: dict[str, Any]) -> None:
    """Print full → pruned, and the ratio with its interval, one line a fit."""
    for line, reference in summary["references"].items():
        constant = {unit: score["mean"] for unit, score in reference["constant"].items()}
        print(
            f"\n{line}: {reference['patients']} patients, {reference['patches']} patches; oracle of the nearest mean "
            f"kappa {reference['oracle_kappa']['mean']:.2f}; a constant {constant['mae_px2']:.1f} px², "
            f"{constant['mae_octaves']:.2f} octaves, kappa {constant['kappa']:.2f}"
        )
        print(
            f"{'reading':10} {'network':13} {'target':8} {'MAE px²':>15} {'ratio (95 %)':>18} {'octaves':>13} "
            f"{'ratio (95 %)':>18} {'kappa':>13}  cut at"
        )
        for ratio in (row for row in summary["ratios"] if row["line"] == line):
            _print_fit(ratio, *_arms_of(summary, ratio))


def _print_fit(ratio: dict[str, Any], full: dict[str, Any], pruned: dict[str, Any]) -> None:
    def both(unit: str, digits: int) -> str:
        return f"{full[unit]['mean']:.{digits}f} → {pruned[unit]['mean']:.{digits}f}"

    def interval(unit: str) -> str:
        return f"{ratio[unit]['ratio']:.2f} ({ratio[unit]['low']:.2f}–{ratio[unit]['high']:.2f})"

    layers = ", ".join(f"{layer} ×{count}" for layer, count in Counter(pruned["layers"]).most_common())
    print(
        f"{ratio['reading']:10} {ratio['network']:13} {ratio['target']:8} {both('mae_px2', 1):>15} "
        f"{interval('px2'):>18} {both('mae_octaves', 2):>13} {interval('octaves'):>18} {both('kappa', 2):>13}  {layers}"
    )


def draw(summary: dict[str, Any], path: Path) -> None:
    """Draw each split's error in octaves, full beside pruned, for both data sets; the target is log area."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    for axes, line in zip(figure.subplots(2, 1), ("monuseg", "tnbc"), strict=True):
        rows = [
            row
            for reading in READINGS
            for name in NETWORKS
            for row in summary["ratios"]
            if (row["line"], row["reading"], row["network"], row["target"]) == (line, reading, name, "log area")
        ]
        _draw_line(axes, summary, rows)
        reference = summary["references"][line]
        constant = reference["constant"]["mae_octaves"]["mean"]
        title = {"monuseg": "MoNuSeg", "tnbc": "TNBC"}[line]
        axes.set_title(
            f"{title}, {reference['patients']} patients: a line is one split; a constant errs by {constant:.2f}",
            loc="left",
            fontsize=11,
        )
    with replacing_file(path) as part:
        figure.savefig(part, dpi=100, format="png")


def _draw_line(axes: Any, summary: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    highest = 0.0
    for place, row in enumerate(rows):
        errors = [arm["mae_octaves"]["per_seed"] for arm in _arms_of(summary, row)]
        for pair in zip(*errors, strict=True):
            axes.plot([place - 0.2, place + 0.2], pair, color="0.75", lw=1, zorder=1)
        for shift, values, color, label in zip((-0.2, 0.2), errors, (FULL, PRUNED), ("full", "pruned"), strict=True):
            axes.scatter(
                [place + shift] * len(values), values, color=color, s=26, zorder=2, label=label if place == 0 else None
            )
        highest = max(highest, *errors[0], *errors[1])
    for place, row in enumerate(rows):
        ratio = row["octaves"]
        text = f"× {ratio['ratio']:.2f}\n{ratio['low']:.2f}–{ratio['high']:.2f}"
        axes.text(place, highest * 1.06, text, ha="center", va="bottom", fontsize=8.5)
    axes.set(ylim=(0, highest * 1.3), xlim=(-0.6, len(rows) - 0.4), ylabel="mean error, octaves of area")
    axes.set_xticks(range(len(rows)), [f"{NETWORKS[row['network']]}\n{READINGS[row['reading']]}" for row in rows])
    axes.tick_params(axis="x", labelsize=9)
    axes.legend(loc="lower right", frameon=False, ncols=2)


def _arms_of(summary: dict[str, Any], ratio: dict[str, Any]) -> list[dict[str, Any]]:
    keys = ("line", "reading", "network", "target")
    found = [arm for arm in summary["arms"] if all(arm[key] == ratio[key] for key in keys)]
    return sorted(found, key=lambda arm: arm["arm"] != "full")
