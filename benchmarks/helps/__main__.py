"""Measure whether it helps: `python -m benchmarks.helps all`, or one part after another.

Parts write results/bench/helps/PART.json; `report` joins them into benchmarks/helps.json and draws the figures.
Needs WSI_SCALE_DATA; what networks answered is kept, so that a part goes on where it stopped.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.data import RESULTS, data_root
from benchmarks.helps.images import CLASSIFIERS
from benchmarks.helps.optimal import measure_optimal
from benchmarks.helps.radius import measure_radius
from benchmarks.helps.report import draw_optimal, draw_radius, draw_wrong_mpp
from benchmarks.helps.wrong_mpp import measure_wrong_mpp
from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.errors import UserError

#: Where parts are kept, and the figures that stand in the repository.
FOLDER, FIGURES = RESULTS / "helps", Path("benchmarks/helps.json")
#: Parts by their question, and the networks that each is asked of.
QUESTIONS: dict[str, tuple[Callable[..., dict[str, Any]], tuple[str, ...]]] = {
    "wrong-mpp": (measure_wrong_mpp, tuple(CLASSIFIERS)),
    "optimal": (measure_optimal, tuple(CLASSIFIERS)),
    "radius": (measure_radius, ("embedded", "vgg19")),
}
PARTS = {
    f"{question}-{network}": partial(measure, network=network)
    for question, (measure, networks) in QUESTIONS.items()
    for network in networks
}
DRAWINGS = {"wrong-mpp": draw_wrong_mpp, "optimal": draw_optimal, "radius": draw_radius}


def main() -> None:
    """Run one part, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.helps", description=__doc__)
    parser.add_argument("part", choices=(*PARTS, "report", "all"))
    chosen = parser.parse_args().part
    try:
        for part, measure in PARTS.items():
            if chosen in (part, "all"):
                write_json(FOLDER / f"{part}.json", plain(measure(data_root())))
                print(f"wrote {FOLDER / f'{part}.json'}")
        if chosen in ("report", "all"):
            report()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def report() -> None:
    """Join the parts that are there into the committed figures, and draw them."""
    parts = {part: read_json(path) for part in PARTS if (path := FOLDER / f"{part}.json").exists()}
    for question, draw in DRAWINGS.items():
        if own := {part.removeprefix(f"{question}-"): found for part, found in parts.items() if question in part}:
            draw(own)
    write_json(FIGURES, without_points(parts))
    print(f"wrote {FIGURES}")


def without_points(value: Any) -> Any:
    """Leave out what only a picture needs."""
    if not isinstance(value, dict):
        return value
    return {key: without_points(item) for key, item in value.items() if key != "points"}


def plain(value: Any) -> Any:
    """Turn intervals into mappings, all the way down."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
