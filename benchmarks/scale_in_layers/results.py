"""Results of one task: as JSON with every repetition, as a table, and on the terminal."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.scale_in_layers.lines import Line
from benchmarks.scale_in_layers.photograph_lines import Check
from wsi_scale.artifacts.atomic import replacing_file

COLUMNS = (
    "network", "layer", "depth", "channels", "target", "line", "repetitions", "mean_r2", "sd_r2", "least_r2", "most_r2",
    "published_mean_r2",
)  # fmt: skip


@dataclass(frozen=True)
class Results:
    """All lines of a task.

    Attributes
    ----------
    task
        ``photographs`` or ``tissue``.
    titles
        Network → what it was tried on, in order of presentation.
    lines
        Scores.
    checks
        On photographs: what probes say of resized images and of noise.
    agreement
        On photographs: network → size in px → share whose first class is that at 224 px.
    """

    task: str
    titles: dict[str, str]
    lines: list[Line]
    checks: list[Check] = field(default_factory=list)
    agreement: dict[str, dict[int, float]] = field(default_factory=dict)

    def of(self, network: str, target: str, line: str) -> list[Line]:
        """Lines of one kind, shallow to deep."""
        found = [x for x in self.lines if (x.network, x.target, x.line) == (network, target, line)]
        return sorted(found, key=lambda each: each.depth)


def write_results(results: Results, stem: Path) -> None:
    """Write ``stem``.json and ``stem``.tsv."""
    with replacing_file(stem.with_suffix(".json")) as part:
        part.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")
    rows = ["\t".join(COLUMNS), *("\t".join(_row(line)) for line in results.lines)]
    with replacing_file(stem.with_suffix(".tsv")) as part:
        part.write_text("\n".join(rows) + "\n", encoding="utf-8")


def read_results(stem: Path) -> Results:
    """Read what :func:`write_results` wrote."""
    stored = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    agreement = {name: {int(px): share for px, share in by.items()} for name, by in stored["agreement"].items()}
    lines = [Line(**each | {"r2": tuple(each["r2"])}) for each in stored["lines"]]
    return Results(stored["task"], stored["titles"], lines, [Check(**each) for each in stored["checks"]], agreement)


def print_results(results: Results) -> None:
    """Print one table a network: mean ± standard deviation of R², its peak, controls and checks."""
    for network, title in results.titles.items():
        print(f"\n{title}")
        _print_layers([x for x in results.lines if x.network == network and x.layer])
        for line in (x for x in results.lines if x.network == network and not x.layer):
            print(f"  {line.line} alone ({line.target}): {_cell(line)}")
        _print_peaks(results, network)
        if by_size := results.agreement.get(network):
            shares = ", ".join(f"{px} px {share:.2f}" for px, share in by_size.items())
            print(f"  first class as at the largest size: {shares}")
        _print_checks([check for check in results.checks if check.network == network])


def _print_layers(lines: Sequence[Line]) -> None:
    kinds = list(dict.fromkeys((line.target, line.line) for line in lines if line.r2))
    cells = {(line.layer, line.target, line.line): _cell(line) for line in lines}
    for place in (0, 1):
        print(f"  {'':10}" + "".join(f"{_short(kind[place]):>15}" for kind in kinds))
    for layer in dict.fromkeys(line.layer for line in lines):
        print(f"  {layer:10}" + "".join(f"{cells[layer, *kind]:>15}" for kind in kinds))


def _print_peaks(results: Results, network: str) -> None:
    kinds = {(line.target, line.line) for line in results.lines if line.network == network and line.layer}
    for target, kind in sorted(kinds):
        found = [line for line in results.of(network, target, kind) if line.r2]
        if found:
            best, last = max(found, key=lambda line: line.scores.mean), found[-1]
            print(f"  {target}, {kind}: best {best.layer} {_cell(best)}, last {last.layer} {_cell(last)}")


def _print_checks(checks: Sequence[Check]) -> None:
    if not checks:
        return
    print(
        "  side ratio predicted per octave of image size, and of noise at the largest size; octaves of size predicted"
    )
    print(f"  {'':10}{'photographs':>13}{'noise':>9}{'of noise':>16}{'noise':>9}")
    for check in checks:
        of_noise = f"{check.noise_mean:+.2f} ± {check.noise_spread:.2f}"
        print(
            f"  {check.layer:10}{check.photograph_drift:+13.2f}{check.noise_drift:+9.2f}"
            f"{of_noise:>16}{check.noise_size_slope:+9.2f}"
        )


def _short(words: str) -> str:
    return words.replace("ridge, ", "").replace("random weights", "random").replace("shuffled labels", "shuffled")


def _cell(line: Line) -> str:
    return f"{line.scores.mean:+.2f} ± {line.scores.spread:.2f}" if line.r2 else "–"


def _row(line: Line) -> list[str]:
    scores = line.scores
    figures = [scores.mean, scores.spread, np.min(line.r2), np.max(line.r2), scores.published_mean] if line.r2 else []
    cells = [f"{value:.4f}" for value in figures] or ["NA"] * 5
    where = [line.network, line.layer or "-", str(line.depth), str(line.channels), line.target, line.line]
    return [*where, str(len(line.r2)), *cells]
