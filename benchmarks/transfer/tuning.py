"""How deep to tune: one job a dataset, architecture, depth and seed, each kept as soon as it is there."""

import functools
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx

from benchmarks.transfer.figures import draw_tuning
from benchmarks.transfer.tasks import DIFFERENCES, QUICK, TUNED, Places, Size, joined, load_task, mean_of, settings_of
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

#: Images in a batch.
BATCH = 16
#: Architectures whose weights may not be at hand: listed as not evaluated then.
OTHERS = ("vgg16", "resnet50", "inception_v3")


@dataclass(frozen=True)
class TuningJob:
    """One network of a data set, tuned to one depth, or truncated to it and tuned whole."""

    dataset: str
    architecture: str
    depth: int
    seed: int
    truncated: bool = False


@dataclass(frozen=True)
class TuningStudy:
    """What is tuned, and how often.

    Attributes
    ----------
    places, name
        Data and results, and the name of the table.
    size, seeds
        How much of each data set is used, and the seeds of training.
    datasets, architectures
        Names of both.
    truncates
        Whether networks truncated to their lowest blocks are lines of the table too.
    cached, cached_epochs
        Network whose head is trained with and without a cache, and over how many epochs; "" leaves that out.
    """

    places: Places
    name: str = "fine_tuning"
    size: Size = QUICK
    seeds: range = range(1)
    datasets: tuple[str, ...] = ("pcam",)
    architectures: tuple[str, ...] = ("vgg19", "embedded")
    truncates: bool = False
    cached: str = "vgg19"
    cached_epochs: int = 20

    @classmethod
    def usual(cls, *, full: bool) -> "TuningStudy":
        """Return the study as it is reported; ``full`` is the larger run."""
        places = Places.usual()
        if not full:
            return cls(places)
        networks = ("vgg19", "squeezenet1_1", "embedded")
        return cls(
            places, "fine_tuning_full", TUNED, range(3), ("xray", "pcam", "mpp"), networks, truncates=True, cached=""
        )

    def job_path(self, job: TuningJob) -> Path:
        """Where a job leaves its figures."""
        part = f"{'first' if job.truncated else 'top'}{job.depth}"
        return self.places.results / self.name / f"{job.dataset}-{job.architecture}-{part}-{job.seed}.json"


def run_job(study: TuningStudy, job: TuningJob) -> dict[str, Any]:
    """Tune one network to one depth; a job that is there is read."""
    path = study.job_path(job)
    if path.exists():
        return dict(read_json(path))
    settings = settings_of(study.places, job.dataset, study.size, job.seed, unseen=True)
    examples, split = load_task(study.places, job.dataset, study.size, unseen=True)
    compute = resolve(ExecutionConfig(threads=torch.get_num_threads()))
    work = task_of(examples, split, settings.side_px, compute)
    source = find_network(job.architecture)
    ends = ends_of(source.architecture, job.depth, truncate=job.truncated)
    start = time.perf_counter()
    learner, inputs = finetune(at_depth(source.tapped(ends), ends, job.depth), work, _tuning(settings), compute)
    seconds = time.perf_counter() - start
    outputs = compute_once(learner, inputs, split.test, compute).numpy()
    scores = judge_outputs(outputs, examples.target[split.test], examples.classes)
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"metric_name": metric_name(examples.classes), **vars(scores), "seconds": round(seconds, 1)}
    write_json(path, result | {"outputs": np.round(outputs, 5).tolist()})
    return dict(read_json(path))


def compare_caching(study: TuningStudy) -> dict[str, float]:
    """Train a head alone, with features computed once and at each step; both in one run."""
    settings = settings_of(study.places, "pcam", study.size, 0)
    examples, split = load_task(study.places, "pcam", study.size)
    compute = resolve(ExecutionConfig(threads=torch.get_num_threads()))
    work = task_of(examples, split, settings.side_px, compute)
    source = find_network(study.cached)
    ends = ends_of(source.architecture, 0, truncate=False)
    tuning = replace(_tuning(settings), epochs=study.cached_epochs, patience=study.cached_epochs)
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


def rows_of(study: TuningStudy, dataset: str, architecture: str) -> dict[str, dict[str, Any]]:
    """Tune one architecture to every depth: one row a depth, compared with the head alone and with all tuned."""
    examples, split = load_task(study.places, dataset, study.size, unseen=True)
    side_px = settings_of(study.places, dataset, study.size, 0).side_px
    blocks = len(find_network(architecture).architecture.block_ends)

    def jobs_of(depth: int, *, truncated: bool = False) -> list[dict[str, Any]]:
        jobs = [TuningJob(dataset, architecture, depth, seed, truncated) for seed in study.seeds]
        return [run_job(study, job) for job in jobs]

    lines = [(depth, False) for depth in range(blocks + 1)]
    lines += [(depth, True) for depth in range(1, blocks)] if study.truncates else []
    heads, whole = jobs_of(0), jobs_of(blocks)
    rows: dict[str, dict[str, Any]] = {}
    for depth, truncated in lines:
        jobs = jobs_of(depth, truncated=truncated)
        row = joined(jobs, heads, examples, split)
        to_whole = joined(jobs, whole, examples, split)
        row |= {key.replace("difference", "to_all_tuned"): to_whole[key] for key in DIFFERENCES}
        row |= {key: mean_of(jobs, key) for key in ("balanced_accuracy", "calibration_error")}
        # The first job of a process may wait for the machine.
        row["seconds"] = round(float(np.median([job["seconds"] for job in jobs])), 1)
        row |= _cost(architecture, depth if truncated else blocks, side_px, examples.outputs)
        name = f"truncated {depth}" if truncated else str(depth)
        rows[name] = row
        print(
            f"{dataset} {architecture:14} {name:12} {row['metric_name']} {row['metric']:.3f} "
            f"± {row['spread']:.3f}  {row['difference']:+.3f} ({row['difference_low']:+.3f} to "
            f"{row['difference_high']:+.3f})  {row['seconds']:6.1f} s",
            flush=True,
        )
    return rows


def main(study: TuningStudy) -> None:
    """Run what is not there yet, print, write and draw."""
    table: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for dataset in study.datasets:
        table[dataset] = {name: rows_of(study, dataset, name) for name in study.architectures}
        _add_rates(table[dataset], settings_of(study.places, dataset, study.size, 0).side_px)
    for name in OTHERS:
        try:
            find_network(name).tapped(find_network(name).architecture.block_ends)
        except WeightsError:
            print(f"{name}: not evaluated (no weights at hand)")
    results = study.places.results
    write_json(results / f"{study.name}.json", table)
    draw_tuning(table, study.places.images / f"{study.name.replace('_', '-')}.png")
    print(f"written {results / study.name}.json", file=sys.stderr)
    if study.cached:
        cached = compare_caching(study)
        write_json(results / f"{study.name}_cached.json", cached)
        print(
            f"head alone, {study.cached_epochs} epochs: {cached['seconds_cached']} s with features computed once, "
            f"{cached['seconds_uncached']} s without ({cached['speedup']} times), outputs within "
            f"{cached['largest_difference']:.1e}"
        )
