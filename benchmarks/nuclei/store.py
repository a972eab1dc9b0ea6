"""Results of single fits: each is kept as soon as it is there, and never computed twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from benchmarks.nuclei.nucleus_area import area_errors
from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.artifacts.fingerprint import fingerprint

FOLDER = RESULTS / "nuclei"


@dataclass(frozen=True)
class Answer:
    """What one arm answers on the test patients of one split, all its choices made.

    Attributes
    ----------
    dataset, network, reading, target, seed
        What was fitted: ``linear``, ``kernel`` or ``fine-tuned``, to ``log area`` or ``area``.
    arm
        ``full`` or ``pruned``.
    layer
        Where the network is cut.
    setting
        What the validation patients chose beside the layer.
    area_px2
        Predicted for the patches of the split's test, (patch,).
    """

    dataset: str
    network: str
    reading: str
    target: str
    seed: int
    arm: str
    layer: str
    setting: dict[str, float]
    area_px2: NDArray[np.float64]


def stored(name: str, make: Callable[[], Any], **depends_on: Any) -> Any:
    """Read a result, or make and keep it; it is another result when anything that it depends on changes."""
    path = FOLDER / "fits" / f"{name}-{fingerprint(name, **depends_on)[:12]}.json"
    if not path.exists():
        write_json(path, make())
    return read_json(path)


def within(area_px2: NDArray[np.floating], training_px2: NDArray[np.floating]) -> NDArray[np.float64]:
    """Keep predictions in the range of the training areas: an area fitted with squared loss can be negative."""
    clipped: NDArray[np.float64] = np.clip(np.asarray(area_px2, np.float64), training_px2.min(), training_px2.max())
    return clipped


def validation_error(target: str, predicted_px2: NDArray[np.floating], true_px2: NDArray[np.floating]) -> float:
    """Error by which everything is chosen, in the target's own unit: octaves for log area, px² for area."""
    errors = area_errors(predicted_px2, true_px2)
    return float((errors.octaves if target == "log area" else errors.px2).mean())
