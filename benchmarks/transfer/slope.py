"""Whether pruned networks still measure size: the planted-truth slope of networks pruned for mpp, calibrated again."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.data import RESULTS
from benchmarks.transfer.small import SmallStudy
from benchmarks.transfer.tasks import QUICK, Places, settings_of
from benchmarks.truth.estimators import searching
from benchmarks.truth.figures import rounded
from benchmarks.truth.planted import planted_test
from wsi_scale.artifacts.documents import write_json
from wsi_scale.config.models import Config
from wsi_scale.errors import UserError
from wsi_scale.learning.compress import MethodName, compress
from wsi_scale.networks.load import find_network
from wsi_scale.transfer.cost import convolution_parameters

#: Share of the embedded network's convolutions that is kept.
KEEP_FRACTION = 0.2
METHODS: tuple[MethodName, ...] = ("channels", "basis")
#: Planted tiles a network sees, and what is said of them.
TILES, FIGURES = 96, ("slope", "deviation_octaves", "answered", "tiles")
#: Small networks of VGG19 that are measured too, where `small` has made them.
SMALL = ("channel", "basis", "channel+basis")


def main() -> None:
    """Prune, measure parents and children, print and write."""
    table: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="slope-") as name:
        folder = Path(name)
        networks = {"embedded": "embedded"} | {f"embedded, {m}": str(_pruned(m, folder)) for m in METHODS}
        study = SmallStudy.usual(full=False)
        made = {v: study.job_path("mpp", 0, v).with_suffix(".safetensors") for v in SMALL}
        found = {f"vgg19, {variant}": str(path) for variant, path in made.items() if path.exists()}
        networks |= ({"vgg19": "vgg19"} | found) if found else {}
        for label, network in networks.items():
            table[label] = row = _row(network)
            print(f"{label:22} {row}", flush=True)
    write_json(RESULTS / "pruned_slope.json", table)
    print(f"written {RESULTS / 'pruned_slope.json'}", file=sys.stderr)


def _pruned(method: MethodName, folder: Path) -> Path:
    settings = settings_of(Places.usual(), "mpp", QUICK, 0, keep_fraction=KEEP_FRACTION, unseen=True)
    target = folder / f"embedded-{method}.safetensors"
    compress(Config(transfer=settings), method, "embedded", None, target)
    return target


def _row(network: str) -> dict[str, Any]:
    source = find_network(network)
    parameters = convolution_parameters(source.tapped([source.architecture.feature_layer]).trunk)
    try:
        found = planted_test(searching(network, "covariant"), TILES, 0).figures
        return {"parameters": parameters, **rounded({name: found[name] for name in FIGURES})}
    except UserError as error:
        return {"parameters": parameters, "reason": str(error)}
