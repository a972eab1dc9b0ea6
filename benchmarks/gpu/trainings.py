"""Train, prune and finetune: the device against the CPU in float32, and the device against itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.material import Bench
from benchmarks.gpu.record import Outcome
from wsi_scale.config.load import parse_config
from wsi_scale.config.models import Config
from wsi_scale.execution.compute import resolve
from wsi_scale.learning.compress import MethodName, compress
from wsi_scale.learning.embedded_training import train_embedded
from wsi_scale.learning.finetune import finetune_network
from wsi_scale.learning.train import export_network
from wsi_scale.networks.file import read_network_file

#: Largest difference of a validation error, octaves: of a training in float32, and in the dtype that the device takes.
CLOSE_OCTAVES, SHORT_OCTAVES = 0.02, 0.1
#: Steps of a training from the start whose losses are compared, and by how much they may differ.
FIRST_STEPS, CLOSE_LOSS, SHORT_LOSS = 4, 0.005, 0.05
#: Largest difference of the weights of two equal trainings, as a share of the largest weight: 0 where they are equal.
REPEATED = 0.05

#: A configuration and the file to write → what was learnt.
Learn = Callable[[Config, Path], Path]
#: Header of a network file → an error in octaves.
Score = Callable[[dict[str, Any]], float]


def training(bench: Bench) -> Iterator[Outcome]:
    """Train the embedded network from the start, with a teacher: the losses of the first steps, and what it exports."""
    expected, _ = _trained(bench, "cpu", "float32", "")
    losses, first = _trained(bench, bench.device, "float32", "-1")
    _, second = _trained(bench, bench.device, "float32", "-2")
    yield Outcome("train float32: first losses, largest relative difference", _apart(losses, expected), CLOSE_LOSS)
    yield Outcome("train float32: two runs, largest difference of a weight", _unlike(first, second), REPEATED)
    if bench.compute.dtype != "float32":
        losses, _ = _trained(bench, bench.device, bench.compute.dtype, "")
        label = f"train {bench.compute.dtype}: first losses, largest relative difference"
        yield Outcome(label, _apart(losses, expected), SHORT_LOSS)


def _trained(bench: Bench, device: str, dtype: str, again: str) -> tuple[list[float], Path]:
    """Losses of all steps, and the network file."""
    config, folder = _config(bench, device, dtype), bench.folder / f"train-{device}-{dtype}{again}"
    folder.mkdir()
    losses: list[float] = []
    state = train_embedded(config.training, folder, resolve(config.execution), on_step=losses.append)
    return losses, export_network(config.training, state, folder)


def _apart(losses: list[float], expected: list[float]) -> float:
    """Compare the first steps; later ones drift apart, as small differences grow while a network learns."""
    pairs = list(zip(losses, expected, strict=True))[:FIRST_STEPS]
    return max(abs(ours - theirs) / abs(theirs) for ours, theirs in pairs)


def pruning_channels(bench: Bench) -> Iterator[Outcome]:
    """Remove channels of the embedded network: its error on test tiles."""
    yield from _compared(bench, "prune channels", _pruning("channels"), _pruned_error)


def pruning_basis(bench: Bench) -> Iterator[Outcome]:
    """Split the convolutions of the embedded network: its error on test tiles."""
    yield from _compared(bench, "prune basis", _pruning("basis"), _pruned_error)


def finetuning(bench: Bench) -> Iterator[Outcome]:
    """Tune the top blocks of the embedded network: the loss on validation tiles after the last epoch."""

    def learn(config: Config, path: Path) -> Path:
        return finetune_network(config, "embedded", None, path, depth=2).network

    yield from _compared(bench, "finetune", learn, lambda made: made["history"][-1][1])


def _pruning(method: MethodName) -> Learn:
    def learn(config: Config, path: Path) -> Path:
        return compress(config, method, "embedded", None, path).network

    return learn


def _pruned_error(made: dict[str, Any]) -> float:
    return float(made["after"]["scores"]["metric"])


def _compared(bench: Bench, name: str, learn: Learn, score: Score) -> Iterator[Outcome]:
    """Learn on the CPU, on the device in float32 twice, and in the dtype that it chooses."""

    def learnt(device: str, dtype: str, again: str = "") -> Path:
        stem = f"{name.replace(' ', '-')}-{device}-{dtype}{again}"
        return learn(_config(bench, device, dtype), bench.folder / f"{stem}.safetensors")

    def error(path: Path) -> float:
        return score(read_network_file(path)[0].provenance)

    expected = error(learnt("cpu", "float32"))
    first, second = learnt(bench.device, "float32", "-1"), learnt(bench.device, "float32", "-2")
    yield Outcome(f"{name} float32: |Δ error|, octaves", abs(error(first) - expected), CLOSE_OCTAVES)
    yield Outcome(f"{name} float32: two runs, largest difference of a weight", _unlike(first, second), REPEATED)
    if bench.compute.dtype != "float32":
        chosen = learnt(bench.device, bench.compute.dtype)
        label = f"{name} {bench.compute.dtype}: |Δ error|, octaves"
        yield Outcome(label, abs(error(chosen) - expected), SHORT_OCTAVES)


def _unlike(first: Path, second: Path) -> float:
    """Largest difference of two networks' weights as a share of the largest weight; 1 where shapes differ."""
    a, b = (read_network_file(path)[1] for path in (first, second))
    if {name: value.shape for name, value in a.items()} != {name: value.shape for name, value in b.items()}:
        return 1.0
    largest = max(float(value.float().abs().max()) for value in a.values())
    return max(float(torch.dist(a[name].float(), b[name].float(), float("inf"))) for name in a) / largest


def _config(bench: Bench, device: str, dtype: str) -> Config:
    sizes = bench.sizes
    return parse_config(
        {
            "execution": {"device": device, "dtype": dtype},
            "training": {
                "fields": [str(bench.table)], "stain": "H&E", "mpp_range": [0.25, 0.75],
                "wider_mpp_range": [0.25, 0.8], "tile_px": [96], "batch": 2, "epochs": 1, "steps": sizes.steps,
                "validation_share": 0.25, "teacher": "embedded", "teacher_layers": ["C2_2", "C3_2"],
                "teacher_tiles": sizes.images,
            },
            "transfer": {
                "data": str(bench.table), "tiles": sizes.images, "mpp_range": [0.25, 0.75], "side_px": 64,
                "keep_fraction": 0.4, "rounds": 2, "epochs": 1, "tuning_epochs": 2,
            },
        }
    )  # fmt: skip
