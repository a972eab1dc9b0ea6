"""The experiments of Penkin et al. (2022), one figure or all.

    WSI_SCALE_DATA=… python -m benchmarks.paper passes
    WSI_SCALE_DATA=… python -m benchmarks.paper gain --photographs 20

`passes` takes photographs through the classifiers at all sizes (an hour and a half of one core for 120) and keeps
what they answer in results/bench/features: a run that was stopped goes on where it was. Each figure is written to
results/bench/paper/<figure>.json and docs/images/paper-<figure>.png; `report` joins them in results/bench/paper.json.
"""

import argparse
from collections.abc import Callable
from typing import Any

from benchmarks.data import RESULTS, data_root
from benchmarks.paper import attention, by_scale, curves, estimates, gain, tissue
from benchmarks.paper.proposals import proposals
from benchmarks.paper.study import Study
from wsi_scale.artifacts.documents import read_json, write_json

FOLDER = RESULTS / "paper"


def passes(study: Study) -> dict[str, Any]:
    """Pass all photographs, at the sizes that methods propose too."""
    for passer in study.loaded().values():
        gain.choices(gain.Judge(study, passer), proposals(study.passes(passer)))
    return {name: len(found.photographs) for name, found in study.searched().items()}


#: Command → what it measures, in the order of the paper's figures.
FIGURES: dict[str, Callable[[Study], dict[str, Any]]] = {
    "passes": passes,
    "confidence": by_scale.figure,
    "attention": attention.figure,
    "curves": curves.curves,
    "estimates": estimates.figure,
    "tissue": tissue.figure,
    "kept": curves.kept,
    "gain": gain.figure,
}


def _study(photographs: list[str]) -> Study:
    named = dict(text.split("=") for text in photographs if "=" in text)
    plain = [int(text) for text in photographs if "=" not in text]
    return Study(data_root(), min(plain, default=None), {name: int(count) for name, count in named.items()})


def main() -> None:
    """Measure one figure, or join all that are there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper")
    parser.add_argument("figure", choices=(*FIGURES, "report"))
    parser.add_argument(
        "--photographs", nargs="*", default=[], metavar="N or NETWORK=N",
        help="only as many, a random sample, of all classifiers or of one (default: all 120)",
    )  # fmt: skip
    chosen = parser.parse_args()
    if chosen.figure == "report":
        target = RESULTS / "paper.json"
        write_json(target, {name: read_json(FOLDER / f"{name}.json") for name in FIGURES if name != "passes"})
    else:
        target = FOLDER / f"{chosen.figure}.json"
        measured = FIGURES[chosen.figure](_study(chosen.photographs))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target, measured)
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
