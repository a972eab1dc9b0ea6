"""How deep to tune: one job a dataset, architecture, depth and seed, each kept as soon as it is there."""

import functools
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx

from benchmarks.data import RESULTS, data_root
from benchmarks.transfer.figures import IMAGES, draw_tuning
from benchmarks.transfer.tasks import DIFFERENCES, QUICK, TUNED, joined, load_task, mean_of, settings_of
from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import WeightsError
from wsi_scale.execution.compute import resolve
from wsi_scale.learning.finetune import ends_of, tuning_of
from wsi_scale.networks.graph import single_output
from wsi_scale.networks.load import find_network
from wsi_scale.transfer.cost import convolution_parameters, cost_of, tiles_per_second
from wsi_scale.transfer.depth import Tuning, at_depth, finetune
from wsi_scale.transfer.judge import judge_outputs, metric_name
from wsi_scale.transfer.task import compute_once, task_of

#: What the smoke version tunes, and the larger run; truncated to the lowest blocks is an extra line of that.
SMOKE = (("pcam",), ("vgg19", "embedded"), range(1))
LARGE = (("xray", "pcam", "mpp"), ("vgg19", "squeezenet1_1", "embedded"), range(3))
#: Images in a batch.
BATCH = 16
#: Network whose head is trained with and without a cache, and over how many epochs.
CACHED, CACHED_EPOCHS = "vgg19", 20
#: Architectures whose weights may not be at hand: listed as not evaluated then.
OTHERS = ("vgg16", "resnet50", "inception_v3")


def job_path(dataset: str, architecture: str, depth: int, seed: int, *, full: bool, truncated: bool = False) -> Path:
    """Where a job leaves its figures."""
    folder = RESULTS / ("fine_tuning_full" if full else "fine_tuning")
    return folder / f"{dataset}-{architecture}-{'first' if truncated else 'top'}{depth}-{seed}.json"


def run_job(
    dataset: str, architecture: str, depth: int, seed: int, *, full: bool, truncated: bool = False
) -> dict[str, Any]:
    """Tune one network to one depth; a job that is there is read."""
    path = job_path(dataset, architecture, depth, seed, full=full, truncated=truncated)
    if path.exists():
        return dict(read_json(path))
    size = TUNED if full else QUICK
    root = data_root()
    settings = settings_of(root, dataset, size, seed, unseen=True)
    examples, split = load_task(root, dataset, size, unseen=True)
    compute = resolve(ExecutionConfig(threads=torch.get_num_threads()))
    work = task_of(examples, split, settings.side_px, compute)
    source = find_network(architecture)
    ends = ends_of(source.architecture, depth, truncate=truncated)
    start = time.perf_counter()
    learner, inputs = finetune(at_depth(source.tapped(ends), ends, depth), work, _tuning(settings), compute)
    seconds = time.perf_counter() - start
    outputs = compute_once(learner, inputs, split.test, compute).numpy()
    scores = judge_outputs(outputs, examples.target[split.test], examples.classes)
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"metric_name": metric_name(examples.classes), **vars(scores), "seconds": round(seconds, 1)}
    write_json(path, result | {"outputs": np.round(outputs, 5).tolist()})
    return dict(read_json(path))


def compare_caching() -> dict[str, float]:
    """Train a head alone, with features computed once and at each step; both in one run."""
    settings = settings_of(data_root(), "pcam", QUICK, 0)
    examples, split = load_task(data_root(), "pcam", QUICK)
    compute = resolve(ExecutionConfig(threads=torch.get_num_threads()))
    work = task_of(examples, split, settings.side_px, compute)
    source = find_network(CACHED)
    ends = ends_of(source.architecture, 0, truncate=False)
    tuning = replace(_tuning(settings), epochs=CACHED_EPOCHS, patience=CACHED_EPOCHS)
    seconds, outputs = [], []
    for cache in (True, False):
        start = time.perf_counter()
        learner, inputs = finetune(at_depth(source.tapped(ends), ends, 0), work, replace(tuning, cache=cache), compute)
        seconds.append(time.perf_counter() - start)
        outputs.append(compute_once(learner, inputs, split.test, compute))
    return {
        "seconds_cached": round(seconds[0], 1),
        "seconds_uncached": round(seconds[1], 1),
        "speedup": round(seconds[1] / seconds[0], 1),
        "largest_difference": float((outputs[0] - outputs[1]).abs().max()),
    }


@functools.cache
def _cost(architecture: str, kept: int, side_px: int, outputs: int) -> dict[str, int]:
    """Count what a network costs of which the lowest blocks are kept; tuning changes nothing of that."""
    source = find_network(architecture)
    network = source.tapped(ends_of(source.architecture, kept, truncate=True))
    trunk, channels = single_output(network), network.layers[-1].channels
    parameters = convolution_parameters(trunk)
    return {
        "parameters": parameters,
        "parameters_total": parameters + (channels + 1) * outputs,
        "multiply_adds": cost_of(trunk, side_px).multiply_adds,
    }


def _add_rates(table: dict[str, dict[str, dict[str, Any]]], side_px: int) -> None:
    """Add to a dataset's rows the images a second of their networks, all measured in turn."""
    trunks: dict[tuple[str, int], fx.GraphModule] = {}
    for architecture, rows in table.items():
        source = find_network(architecture)
        for kept in sorted({_kept(name, rows) for name in rows}):
            ends = ends_of(source.architecture, kept, truncate=True)
            trunks[architecture, kept] = single_output(source.tapped(ends))
    rates = dict(zip(trunks, tiles_per_second(list(trunks.values()), side_px, batch=BATCH), strict=True))
    for architecture, rows in table.items():
        for name, row in rows.items():
            row["tiles_per_second"] = round(rates[architecture, _kept(name, rows)], 2)


def _kept(name: str, rows: dict[str, Any]) -> int:
    """Blocks that are left of a network in a row of its table: all, unless it was truncated."""
    return int(name.split()[-1]) if " " in name else max(int(other) for other in rows if " " not in other)


def _tuning(settings: TransferConfig) -> Tuning:
    return replace(tuning_of(settings), batch=BATCH)


def main(*, full: bool) -> None:
    """Run what is not there yet, print, write and draw."""
    datasets, architectures, seeds = LARGE if full else SMOKE
    table: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for dataset in datasets:
        examples, split = load_task(data_root(), dataset, TUNED if full else QUICK, unseen=True)
        table[dataset] = {}
        for architecture in architectures:
            blocks = len(find_network(architecture).architecture.block_ends)
            lines = [(depth, False) for depth in range(blocks + 1)]
            lines += [(depth, True) for depth in range(1, blocks)] if full else []
            heads, whole = (
                [run_job(dataset, architecture, depth, seed, full=full) for seed in seeds] for depth in (0, blocks)
            )
            side_px = settings_of(data_root(), dataset, QUICK, 0).side_px
            table[dataset][architecture] = {}
            for depth, truncated in lines:
                jobs = [run_job(dataset, architecture, depth, seed, full=full, truncated=truncated) for seed in seeds]
                name = f"truncated {depth}" if truncated else str(depth)
                row = joined(jobs, heads, examples, split)
                to_whole = joined(jobs, whole, examples, split)
                row |= {key.replace("difference", "to_all_tuned"): to_whole[key] for key in DIFFERENCES}
                row |= {key: mean_of(jobs, key) for key in ("balanced_accuracy", "calibration_error")}
                # The first job of a process may wait for the machine.
                row["seconds"] = round(float(np.median([job["seconds"] for job in jobs])), 1)
                row |= _cost(architecture, depth if truncated else blocks, side_px, examples.outputs)
                table[dataset][architecture][name] = row
                print(
                    f"{dataset} {architecture:14} {name:12} {row['metric_name']} {row['metric']:.3f} "
                    f"± {row['spread']:.3f}  {row['difference']:+.3f} ({row['difference_low']:+.3f} to "
                    f"{row['difference_high']:+.3f})  {row['seconds']:6.1f} s",
                    flush=True,
                )
        _add_rates(table[dataset], settings_of(data_root(), dataset, QUICK, 0).side_px)
    for name in OTHERS:
        try:
            find_network(name).tapped(find_network(name).architecture.block_ends)
        except WeightsError:
            print(f"{name}: not evaluated (no weights at hand)")
    name = "fine_tuning_full" if full else "fine_tuning"
    write_json(RESULTS / f"{name}.json", table)
    draw_tuning(table, IMAGES / f"{name.replace('_', '-')}.png")
    print(f"written {RESULTS / name}.json", file=sys.stderr)
    if not full:
        cached = compare_caching()
        write_json(RESULTS / "fine_tuning_cached.json", cached)
        print(
            f"head alone, {CACHED_EPOCHS} epochs: {cached['seconds_cached']} s with features computed once, "
            f"{cached['seconds_uncached']} s without ({cached['speedup']} times), outputs within "
            f"{cached['largest_difference']:.1e}"
        )
