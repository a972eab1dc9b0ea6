"""Every figure of the estimator of µm per pixel, from kept backbones: writes results/bench/magnification.json.

    WSI_SCALE_DATA=… make magnification

No network was trained on the cases that it answers on; features are kept in results/bench/features, so
that a second run is quick.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import RESULTS, data_root
from benchmarks.magnification import abstention, elsewhere, fixed, frozen, home, learning_curve, odd, speed, stains
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.learning.estimator import load_estimator


def main() -> None:
    """Measure, print and write."""
    root = data_root()
    estimator = load_estimator(Config(execution=ExecutionConfig(threads=2)))
    parts: list[tuple[str, Callable[[], tuple[dict[str, Any], dict[str, Any]]]]] = [
        ("home", lambda: home.measure(root)),
        ("elsewhere", lambda: elsewhere.measure(root, estimator)),
        ("odd", lambda: odd.measure(root)),
        ("stains", lambda: stains.measure(root, estimator, estimator.regressor.scores.tolist())),
        ("beyond", lambda: abstention.measure(root, estimator)),
        ("frozen", lambda: frozen.measure(root, keys["slide_median_octaves"])),
        ("fixed", lambda: fixed.measure(root, frozen.frozen_vgg19())),
        ("learning curve", lambda: learning_curve.measure(root, frozen.frozen_vgg19())),
        ("speed", lambda: speed.measure(estimator)),
    ]
    keys: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for name, measure in parts:
        found, tables[name] = measure()
        keys |= found
        for key, value in found.items():
            print(f"{key:36} {value}", flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    _write(RESULTS / "magnification.json", keys)
    _write(RESULTS / "magnification_tables.json", tables)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


if __name__ == "__main__":
    main()
