"""Small networks from frozen VGG19: one job a task, seed and variant, each kept as soon as it is there."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from benchmarks.data import RESULTS, data_root
from benchmarks.transfer.figures import IMAGES, draw_small
from benchmarks.transfer.tasks import FULL, QUICK, joined, load_task, mean_of, settings_of
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

TASKS = ("xray", "pcam", "mpp")
VARIANTS = ("frozen", "channel", "basis", "channel+basis", "basis+channel", "magnitude", "scratch")
#: Share of the convolutions' parameters that one pruning keeps, and that both together keep.
KEEP_FRACTION, KEPT_TWICE = 0.05, 0.015
NETWORK, LAYER = "vgg19", "C5_4"
#: Learning rate and epochs of the network that is trained from scratch.
SCRATCH_RATE, SCRATCH_EPOCHS = 1e-3, 40
#: Variant → how, from which network, and down to which share of that.
STEPS: dict[str, tuple[MethodName, str, float]] = {
    "channel": ("channels", "frozen", KEEP_FRACTION),
    "basis": ("basis", "frozen", KEEP_FRACTION),
    "magnitude": ("magnitude", "frozen", KEEP_FRACTION),
    "channel+basis": ("basis", "channel", KEPT_TWICE / KEEP_FRACTION),
    "basis+channel": ("channels", "basis", KEPT_TWICE / KEEP_FRACTION),
}


def seeds_of(*, full: bool) -> range:
    """Seeds of training."""
    return range(5 if full else 3)


def job_path(task: str, seed: int, variant: str, *, full: bool) -> Path:
    """Where a job leaves its figures; its network lies beside it."""
    return RESULTS / ("small_networks_full" if full else "small_networks") / f"{task}-{seed}-{variant}.json"


def run_job(task: str, seed: int, variant: str, *, full: bool) -> dict[str, Any]:
    """Make one network for one task, and keep what it says of the test images; a job that is there is read."""
    path = job_path(task, seed, variant, full=full)
    if path.exists():
        return dict(read_json(path))
    start = time.perf_counter()
    size = FULL if full else QUICK
    keep_fraction = STEPS[variant][2] if variant in STEPS else KEEP_FRACTION
    root = data_root()
    settings = settings_of(root, task, size, seed, keep_fraction=keep_fraction)
    examples, split = load_task(root, task, size)
    compute = resolve(ExecutionConfig(threads=torch.get_num_threads()))
    work = task_of(examples, split, settings.side_px, compute)
    if variant == "scratch":
        trunk = _from_scratch(path.with_name(f"{task}-{seed}-channel.safetensors"), work, seed, compute)
    else:
        trunk = _parent(task, seed, variant, full=full)
        if variant in STEPS:
            way = method_of(STEPS[variant][0], trunk, NETWORK, settings)
            trunk = prune(trunk, way, work, schedule_of(settings), compute)
    head = fitted_head(trunk, work, seed, compute)
    path.parent.mkdir(parents=True, exist_ok=True)
    if variant != "frozen":
        source = find_network(NETWORK)
        provenance = {
            "made_by": __name__,
            "parent_digest": source.tapped([LAYER]).digest,
            "task": describe_task(examples, split, settings),
            "seed": seed,
        }
        write_small(path.with_suffix(".safetensors"), source, trunk, head, f"{NETWORK}-{variant}", provenance)
    outputs = outputs_on_test(trunk, head, work, compute)
    measured = asdict(measure(trunk, head, work, examples, outputs))
    result = measured | measured["scores"] | {"outputs": np.round(outputs, 5).tolist()}
    seconds = round(time.perf_counter() - start, 1)
    write_json(path, result | {"metric_name": metric_name(examples.classes), "seconds": seconds})
    return dict(read_json(path))


def _parent(task: str, seed: int, variant: str, *, full: bool) -> fx.GraphModule:
    """Load the network that a variant starts from."""
    before = STEPS[variant][1] if variant in STEPS else "frozen"
    if before != "frozen":
        run_job(task, seed, before, full=full)
    return _network(task, seed, before, full=full)


def _network(task: str, seed: int, variant: str, *, full: bool) -> fx.GraphModule:
    """Load the network that a job has left, or the one that all start from."""
    made = str(job_path(task, seed, variant, full=full).with_suffix(".safetensors"))
    return single_output(find_network(NETWORK if variant == "frozen" else made).tapped([LAYER]))


def _from_scratch(model: Path, task: Task, seed: int, compute: Compute) -> fx.GraphModule:
    """Train a network of the same shape from random weights."""
    torch.manual_seed(seed)
    trunk = single_output(find_network(str(model)).tapped([LAYER]))
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    names = [name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)]
    tuning = Tuning(epochs=SCRATCH_EPOCHS, seed=seed, rate=SCRATCH_RATE, patience=SCRATCH_EPOCHS, block_decay=1.0)
    finetune(Depth(None, trunk, [names]), task, tuning, compute)
    return trunk.cpu()


def summarise(*, full: bool) -> dict[str, dict[str, dict[str, Any]]]:
    """Put the jobs of all seeds together: differences to the frozen network on the same images, and measured speed."""
    root, size = data_root(), FULL if full else QUICK
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for task in TASKS:
        examples, split = load_task(root, task, size)
        found = {v: [run_job(task, seed, v, full=full) for seed in seeds_of(full=full)] for v in VARIANTS}
        rates = _rates(task, full=full)
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


def _rates(task: str, *, full: bool) -> dict[str, float]:
    """Images a second of each variant's first network, all measured in turn."""
    side_px = settings_of(data_root(), task, QUICK, 0).side_px
    networks = [_network(task, 0, variant, full=full) for variant in VARIANTS]
    return dict(zip(VARIANTS, tiles_per_second(list(networks), side_px, batch=16), strict=True))


def main(*, full: bool) -> None:
    """Run what is not there yet, print, write and draw."""
    for task in TASKS:
        for seed in seeds_of(full=full):
            for variant in VARIANTS:
                job = run_job(task, seed, variant, full=full)
                print(
                    f"{task:5} seed {seed} {variant:14} {job['metric_name']} {job['metric']:.3f}  "
                    f"{job['parameters']:>12,} parameters  {job['seconds']:7.1f} s",
                    flush=True,
                )
    table = summarise(full=full)
    name = "small_networks_full" if full else "small_networks"
    write_json(RESULTS / f"{name}.json", table)
    draw_small(table, IMAGES / f"{name.replace('_', '-')}.png")
    print(f"written {RESULTS / name}.json", file=sys.stderr)
    for task, variants in table.items():
        for variant, row in variants.items():
            print(
                f"{task:5} {variant:14} {row['metric']:.3f} ± {row['spread']:.3f}  {row['difference']:+.3f} "
                f"({row['difference_low']:+.3f} to {row['difference_high']:+.3f})  {row['parameters']:>12,}  "
                f"{row['tiles_per_second']:8.1f}/s"
            )
