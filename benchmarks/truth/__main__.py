"""Tests of truth of the scale search, and of a constant and random weights as controls: one table.

    WSI_SCALE_DATA=… python -m benchmarks.truth [--full] [--only NETWORK]

Writes results/bench/truth.json (with --full truth_full.json), and in truth/ (truth_full/) pictures and what each
estimator's tests found. Table and pictures are made of all that lies there: with --only, others stay as they were.
Answers of networks are kept too, so that an interrupted run goes on.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import RESULTS, data_root
from benchmarks.truth.estimators import Estimator, constant, searching
from benchmarks.truth.figures import Finding, confidence_figures, read_findings, rounded, write_findings
from benchmarks.truth.metamorphic import metamorphic_test, stability_test
from benchmarks.truth.nuclei import FACTORS, nuclei_test
from benchmarks.truth.pictures import draw_all
from benchmarks.truth.planted import planted_test
from benchmarks.truth.random_weights import random_weights
from wsi_scale.artifacts.documents import write_json

#: More than there are.
ALL = 1000


@dataclass(frozen=True)
class Sizes:
    """How much an estimator is shown.

    Attributes
    ----------
    planted, harder
        Plain scenes, and scenes of each harder kind.
    cases, factors
        Cases of real tissue, and known factors of each.
    stable
        Cases whose images are changed in ways that should not matter.
    nuclei
        Known factors by which images with measured nuclei are shown too; None leaves them out.
    """

    planted: int
    harder: int = 0
    cases: int = 0
    factors: int = 1
    stable: int = 0
    nuclei: tuple[float, ...] | None = None


WHOLE = Sizes(320, 60, ALL, 2, ALL, FACTORS)
#: (network, method) → within 20 minutes, and in full. `published` costs about 10 s a tile with VGG19.
SIZES: dict[tuple[str, str], tuple[Sizes, Sizes]] = {
    ("constant", "constant"): (WHOLE, WHOLE),
    ("random", "covariant"): (Sizes(320, 0, ALL, 1, 0, ()), WHOLE),
    ("embedded", "covariant"): (WHOLE, Sizes(960, 192, ALL, 6, ALL, FACTORS)),
    ("embedded", "published"): (Sizes(48, 0, 8, 1, 0, ()), Sizes(96, 24, ALL, 1, 16, ())),
    ("vgg19", "covariant"): (Sizes(320, 20, 12, 1, 8, ()), Sizes(320, 60, ALL, 2, ALL, FACTORS)),
    ("vgg19", "published"): (Sizes(16, 0, 4), Sizes(32, 0, 8, 1, 0, ())),
}


def main() -> None:
    """Measure, print, draw and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description="Tests of truth, one table.")
    parser.add_argument("--full", action="store_true", help="more of everything; hours with VGG19")
    parser.add_argument(
        "--only", action="append", choices=sorted({name for name, _ in SIZES}), help="network; repeatable"
    )
    asked = parser.parse_args()
    root, name = data_root(), "truth_full" if asked.full else "truth"
    with TemporaryDirectory(prefix="truth-") as folder:
        for estimator in _estimators(asked.only, Path(folder)):
            key = estimator.network, estimator.method
            start = time.perf_counter()
            tests = run(estimator, SIZES[key][asked.full], root)
            write_findings(RESULTS / name / f"{'-'.join(key)}.json", tests)
            print(f"{lines(*key, tests)}   ({time.perf_counter() - start:.0f} s)", flush=True)
    for path in publish(name):
        print(f"wrote {path}")


def publish(name: str) -> list[Path]:
    """Make the table and the pictures of all that was found, and return their paths."""
    paths = {key: RESULTS / name / f"{'-'.join(key)}.json" for key in SIZES}
    findings = {key: read_findings(path) for key, path in paths.items() if path.exists()}
    table: dict[str, dict[str, Any]] = {}
    for (network, method), tests in findings.items():
        table.setdefault(network, {})[method] = entry(tests)
    write_json(RESULTS / f"{name}.json", table)
    return [RESULTS / f"{name}.json", *draw_all(findings, RESULTS / name)]


def _estimators(only: list[str] | None, folder: Path) -> Iterator[Estimator]:
    for network, method in SIZES:
        if only and network not in only:
            continue
        if network == "constant":
            yield constant()
        elif network == "random":
            yield random_weights(folder)
        else:
            yield searching(network, method)


def run(estimator: Estimator, sizes: Sizes, root: Path) -> dict[str, Finding]:
    """Put an estimator to all tests that its sizes name."""
    found = {"planted": planted_test(estimator, sizes.planted, sizes.harder)}
    if sizes.cases:
        found["metamorphic"] = metamorphic_test(estimator, root, sizes.cases, sizes.factors)
    if sizes.stable:
        found["stability"] = stability_test(estimator, root, sizes.stable)
    if sizes.nuclei is not None:
        found["nuclei"] = nuclei_test(estimator, root, sizes.nuclei)
    found["confidence"] = _confidence(found)
    return found


def _confidence(found: dict[str, Finding]) -> Finding:
    """Whether confidence predicts the errors that the other tests found."""
    planted = found["planted"].points
    points = {
        "planted_confidence": planted["confidence"],
        "planted_errors": planted["errors"],
        "hard_confidence": planted["hard_confidence"],
        "hard_errors": planted["hard_errors"],
    }
    figures = {
        name: confidence_figures(
            points[f"{part}_confidence"], points[f"{part}_errors"], range(len(points[f"{part}_errors"]))
        )
        for name, part in (("planted", "planted"), ("planted_harder", "hard"))
    }
    if "nuclei" in found:
        nuclei = found["nuclei"].points
        points |= {"nuclei_confidence": nuclei["tile_confidence"], "nuclei_errors": nuclei["tile_errors"]}
        figures["nuclei"] = confidence_figures(
            nuclei["tile_confidence"], nuclei["tile_errors"], nuclei["tile_image"].tolist()
        )
    return Finding(figures, points)


def entry(tests: dict[str, Finding]) -> dict[str, Any]:
    """One method's part of the table: the planted figures under their plain names, and all tests."""
    planted = tests["planted"].figures
    plain = {name: planted[name] for name in ("slope", "deviation_octaves", "answered", "tiles")}
    return dict(rounded(plain | {"tests": {name: finding.figures for name, finding in tests.items()}}))


def lines(network: str, method: str, tests: dict[str, Finding]) -> str:
    """Say in a few lines what an estimator's tests have found."""
    shown = entry(tests)["tests"]
    planted = shown["planted"]
    said = [
        f"{network}, {method}",
        f"  planted      slope {planted['slope']} ± {planted['slope_error']}, deviation {planted['deviation_octaves']} "
        f"(60 nuclei {planted['deviation_60_nuclei']}), answered {planted['answered']}, {planted['tiles']} tiles",
    ]
    said += [
        f"    {name:13} slope {row['slope']}, deviation {row['deviation_octaves']}, shift {row['shift_octaves']}, "
        f"answered {row['answered']}, {row['tiles']} tiles"
        for name, row in planted["harder"].items()
    ]
    for name in ("metamorphic", "nuclei", "confidence"):
        if name in shown:
            said.append(f"  {name:12} {json.dumps(shown[name], ensure_ascii=False)}")
    for name, row in shown.get("stability", {}).items():
        said.append(f"  {name:34} median {row.get('median_octaves')}, 90 % {row.get('p90_octaves')}, n {row['pairs']}")
    return "\n".join(said)


if __name__ == "__main__":
    main()
