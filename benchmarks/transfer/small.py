"""Small networks from frozen VGG19: one job a task, seed and variant, each kept as soon as it is there."""

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from benchmarks.transfer.figures import draw_small
from benchmarks.transfer.tasks import FULL, QUICK, Places, Size, joined, load_task, mean_of, settings_of
from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.learning.compress import MethodName, measure, method_of, outputs_on_test, schedule_of, write_small
from wsi_scale.learning.transfer_task import describe_task
from wsi_scale.networks.graph import single_output
from wsi_scale.networks.load import find_network
from wsi_scale.transfer.cost import tiles_per_second
from wsi_scale.transfer.depth import Depth, Tuning, finetune
from wsi_scale.transfer.judge import metric_name
from wsi_scale.transfer.learner import fitted_head
from wsi_scale.transfer.rounds import prune
from wsi_scale.transfer.task import Task, task_of

VARIANTS = ("frozen", "channel", "basis", "channel+basis", "basis+channel", "magnitude", "scratch")
#: Learning rate of the network that is trained from scratch.
SCRATCH_RATE = 1e-3


@dataclass(frozen=True)
class SmallStudy:
    """What is made smaller, for which tasks, how far and how often.

    Attributes
    ----------
    places, name
        Data and results, and the name of the table.
    size, seeds
        How much of each task is used, and the seeds of training.
    tasks
        Names of the tasks.
    network, layer
        The network, and the layer that it is cut after.
    keep_fraction, kept_twice
        Share of the convolutions' parameters that one pruning keeps, and that both together keep.
    scratch_epochs
        Epochs of the network that is trained from scratch.
    """

    places: Places
    name: str = "small_networks"
    size: Size = QUICK
    seeds: range = range(3)
    tasks: tuple[str, ...] = ("xray", "pcam", "mpp")
    network: str = "vgg19"
    layer: str = "C5_4"
    keep_fraction: float = 0.05
    kept_twice: float = 0.015
    scratch_epochs: int = 40

    @classmethod
    def usual(cls, *, full: bool) -> "SmallStudy":
        """Return the study as it is reported; ``full`` is the larger run."""
        places = Places.usual()
        return cls(places, "small_networks_full", FULL, range(5)) if full else cls(places)

    @property
    def steps(self) -> dict[str, tuple[MethodName, str, float]]:
        """Variant → how, from which network, and down to which share of that."""
        return {
            "channel": ("channels", "frozen", self.keep_fraction),
            "basis": ("basis", "frozen", self.keep_fraction),
            "magnitude": ("magnitude", "frozen", self.keep_fraction),
            "channel+basis": ("basis", "channel", self.kept_twice / self.keep_fraction),
            "basis+channel": ("channels", "basis", self.kept_twice / self.keep_fraction),
        }

    def job_path(self, task: str, seed: int, variant: str) -> Path:
        """Where a job leaves its figures; its network lies beside it."""
        return self.places.results / self.name / f"{task}-{seed}-{variant}.json"


def run_job(study: SmallStudy, task: str, seed: int, variant: str) -> dict[str, Any]:
    """Make one network for one task, and keep its outputs on the test images; a job that is there is read."""
    path = study.job_path(task, seed, variant)
    if path.exists():
        return dict(read_json(path))
    start = time.perf_counter()
    keep_fraction = study.steps[variant][2] if variant in study.steps else study.keep_fraction
    settings = settings_of(study.places, task, study.size, seed, keep_fraction=keep_fraction)
    examples, split = load_task(study.places, task, study.size)
    compute = resolve(ExecutionConfig(threads=torch.get_num_threads()))
    work = task_of(examples, split, settings.side_px, compute)
    if variant == "scratch":
        trunk = _from_scratch(study, path.with_name(f"{task}-{seed}-channel.safetensors"), work, seed, compute)
    else:
        trunk = _parent(study, task, seed, variant)
        if variant in study.steps:
            way = method_of(study.steps[variant][0], trunk, study.network, settings)
            trunk = prune(trunk, way, work, schedule_of(settings), compute)
    head = fitted_head(trunk, work, seed, compute)
    path.parent.mkdir(parents=True, exist_ok=True)
    if variant != "frozen":
        source = find_network(study.network)
        provenance = {
            "made_by": __name__,
            "parent_digest": source.tapped([study.layer]).digest,
            "task": describe_task(examples, split, settings),
            "seed": seed,
        }
        write_small(path.with_suffix(".safetensors"), source, trunk, head, f"{study.network}-{variant}", provenance)
    outputs = outputs_on_test(trunk, head, work, compute)
    measured = asdict(measure(trunk, head, work, examples, outputs))
    result = measured | measured["scores"] | {"outputs": np.round(outputs, 5).tolist()}
    seconds = round(time.perf_counter() - start, 1)
    write_json(path, result | {"metric_name": metric_name(examples.classes), "seconds": seconds})
    return dict(read_json(path))


def _parent(study: SmallStudy, task: str, seed: int, variant: str) -> fx.GraphModule:
    """Load the network that a variant starts from."""
    before = study.steps[variant][1] if variant in study.steps else "frozen"
    if before != "frozen":
        run_job(study, task, seed, before)
    return _network(study, task, seed, before)


def _network(study: SmallStudy, task: str, seed: int, variant: str) -> fx.GraphModule:
    """Load the network that a job has left, or the one that all start from."""
    made = str(study.job_path(task, seed, variant).with_suffix(".safetensors"))
    return single_output(find_network(study.network if variant == "frozen" else made).tapped([study.layer]))


def _from_scratch(study: SmallStudy, model: Path, task: Task, seed: int, compute: Compute) -> fx.GraphModule:
    """Train a network of the same shape from random weights."""
    torch.manual_seed(seed)
    trunk = single_output(find_network(str(model)).tapped([study.layer]))
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    names = [name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)]
    epochs = study.scratch_epochs
    tuning = Tuning(epochs=epochs, seed=seed, rate=SCRATCH_RATE, patience=epochs, block_decay=1.0)
    finetune(Depth(None, trunk, [names]), task, tuning, compute)
    return trunk.cpu()


def summarise(study: SmallStudy) -> dict[str, dict[str, dict[str, Any]]]:
    """Put the jobs of all seeds together: differences to the frozen network on the same images, and measured speed."""
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for task in study.tasks:
        examples, split = load_task(study.places, task, study.size)
        found = {v: [run_job(study, task, seed, v) for seed in study.seeds] for v in VARIANTS}
        rates = _rates(study, task)
        table[task] = {}
        for variant, jobs in found.items():
            table[task][variant] = joined(jobs, found["frozen"], examples, split) | {
                "balanced_accuracy": mean_of(jobs, "balanced_accuracy"),
                "calibration_error": mean_of(jobs, "calibration_error"),
                "parameters": round(float(np.mean([job["parameters"] for job in jobs]))),
                "parameters_total": round(float(np.mean([job["parameters_total"] for job in jobs]))),
                "multiply_adds": round(float(np.mean([job["multiply_adds"] for job in jobs]))),
                "tiles_per_second": round(rates[variant], 2),
            }
    return table


def _rates(study: SmallStudy, task: str) -> dict[str, float]:
    """Images a second of each variant's first network, all measured in turn."""
    side_px = settings_of(study.places, task, study.size, 0).side_px
    networks = [_network(study, task, 0, variant) for variant in VARIANTS]
    return dict(zip(VARIANTS, tiles_per_second(list(networks), side_px, batch=16), strict=True))


def main(study: SmallStudy) -> None:
    """Run what is not there yet, print, write and draw."""
    for task in study.tasks:
        for seed in study.seeds:
            for variant in VARIANTS:
                job = run_job(study, task, seed, variant)
                print(
                    f"{task:5} seed {seed} {variant:14} {job['metric_name']} {job['metric']:.3f}  "
                    f"{job['parameters']:>12,} parameters  {job['seconds']:7.1f} s",
                    flush=True,
                )
    table = summarise(study)
    target = study.places.results / f"{study.name}.json"
    write_json(target, table)
    draw_small(table, study.places.images / f"{study.name.replace('_', '-')}.png")
    print(f"written {target}", file=sys.stderr)
    for task, variants in table.items():
        for variant, row in variants.items():
            print(
                f"{task:5} {variant:14} {row['metric']:.3f} ± {row['spread']:.3f}  {row['difference']:+.3f} "
                f"({row['difference_low']:+.3f} to {row['difference_high']:+.3f})  {row['parameters']:>12,}  "
                f"{row['tiles_per_second']:8.1f}/s"
            )
