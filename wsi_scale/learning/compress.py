"""Stages `prune channels` and `prune basis`: a network and labelled images → a smaller network for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from wsi_scale.artifacts.checkpoint import kept_work, read_checkpoint, write_checkpoint
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.config.models import Config, TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.learning.labelled import images_identity, read_labelled_images
from wsi_scale.networks.chain import Conv, Step, as_conv
from wsi_scale.networks.cut import header_up_to
from wsi_scale.networks.file import write_network_file
from wsi_scale.networks.graph import channel_flow, single_output
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.networks.network import Network
from wsi_scale.transfer.basis import merge_pairs
from wsi_scale.transfer.channels import mean_sizes, operation_costs
from wsi_scale.transfer.cost import cost_of, tiles_per_second
from wsi_scale.transfer.judge import TaskScores, judge_outputs
from wsi_scale.transfer.learner import Device, LabelledImages, Learner, LinearHead, Split, compute_once
from wsi_scale.transfer.rounds import (
    BasisScaling,
    ChannelScaling,
    Magnitude,
    Method,
    PruneState,
    PruningSchedule,
    Task,
    fitted_head,
    prune,
)

MethodName = Literal["channels", "basis", "magnitude"]


@dataclass(frozen=True)
class Measured:
    """What a network costs, and how it does on the test images with a head of its own.

    Attributes
    ----------
    parameters, parameters_total
        Of the convolutions; with the head.
    multiply_adds
        Of one image.
    scores
        Figures on the test rows.
    """

    parameters: int
    parameters_total: int
    multiply_adds: int
    scores: TaskScores


@dataclass(frozen=True)
class Compressed:
    """A network made smaller.

    Attributes
    ----------
    network
        The file.
    classes
        Of the task; () for log2 mpp.
    before, after
        The network whole and made smaller.
    tiles_per_second
        Of both, measured in turn.
    """

    network: Path
    classes: tuple[str, ...]
    before: Measured
    after: Measured
    tiles_per_second: tuple[float, float]


def compress(config: Config, method: MethodName, network: str, weights: Path | None, output: Path) -> Compressed:
    """Make a network smaller for a task without changing any of its weights, and write it as a network file.

    Goes on where an interrupted run of the same configuration stopped.

    Parameters
    ----------
    config
        ``transfer`` says which task and how far.

    Raises
    ------
    ConfigError
        There are no labelled images, or the network's channels cannot be removed.
    """
    settings = config.transfer
    source = find_network(network, weights)
    whole = source.tapped([source.architecture.feature_layer])
    trunk = single_output(whole)
    way = method_of(method, trunk, whole.name, settings)
    work = prepare(config, "prune", whole, output, method=method)
    task, checkpoint = work.task, work.checkpoint
    state = read_checkpoint(checkpoint, PruneState) if checkpoint.exists() else PruneState()
    with progress("prune", (settings.rounds + 1) * settings.epochs, unit="epochs") as advance:
        advance(len(state.finished) * settings.epochs + int(state.loop.get("epoch", 0)))

        def on_epoch(now: PruneState) -> None:
            write_checkpoint(checkpoint, now)
            advance(1 if now.loop else 0)

        small = prune(
            trunk, way, task, plan_of(settings), work.device, most=parameters_of(trunk), state=state, on_epoch=on_epoch
        )
    heads = [fitted_head(part, task, settings.seed, work.device) for part in (trunk, small)]
    measured = [
        measure(part, head, task, work.examples, outputs_on_test(part, head, task, work.device))
        for part, head in zip((trunk, small), heads, strict=True)
    ]
    provenance = {
        "made_by": f"wsi-scale prune {method}",
        "parent": whole.name,
        "parent_digest": whole.digest,
        "task": work.described,
        "settings": settings.model_dump(mode="json", exclude={"data"}),
        "rounds": [_round_of(done) for done in state.finished],
        "before": vars(measured[0]) | {"scores": vars(measured[0].scores)},
        "after": vars(measured[1]) | {"scores": vars(measured[1].scores)},
    }
    write_small(output, source, small, heads[1], f"{whole.name}_{method}", provenance)
    checkpoint.unlink(missing_ok=True)
    rates = tiles_per_second([trunk, small], settings.side_px)
    return Compressed(output, work.examples.classes, measured[0], measured[1], (rates[0], rates[1]))


def _round_of(done: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a finished round; its threshold is None where none met the budget."""
    threshold = done["threshold"]
    return {
        "threshold": round(threshold, 6) if math.isfinite(threshold) else None,
        "kept": {name: int(mask.sum()) for name, mask in done["kept"].items()},
    }


def method_of(method: MethodName, trunk: fx.GraphModule, name: str, settings: TransferConfig) -> Method:
    """Find the way to make a trunk smaller; refuses networks that it cannot do."""
    if method == "basis":
        return BasisScaling()
    flow = channel_flow(trunk, name)
    by_operations = settings.penalty_by == "operations"
    costs = (
        operation_costs(trunk, flow, settings.side_px)
        if by_operations
        else dict.fromkeys((site.conv for site in flow.sites), 1.0)
    )
    if method == "channels":
        return ChannelScaling(flow, settings.penalty, costs)
    return Magnitude(flow, settings.penalty, costs, sizes=mean_sizes(trunk, flow))


def plan_of(settings: TransferConfig) -> PruningSchedule:
    """How a configuration makes a network smaller."""
    return PruningSchedule(
        settings.keep_fraction, settings.rounds, settings.epochs, settings.batch, settings.learning_rate, settings.seed
    )


@dataclass(frozen=True)
class Prepared:
    """All that a stage of transfer starts from.

    Attributes
    ----------
    examples, task, device
        Labelled images, what is learnt of them, and where.
    described
        The task, as a network file describes it.
    checkpoint
        Where the stage leaves its state: no other network, configuration, images or device lead to the same file.
    """

    examples: LabelledImages
    task: Task
    device: Device
    described: dict[str, Any]
    checkpoint: Path


def prepare(config: Config, stage: str, network: Network, output: Path, **how: object) -> Prepared:
    """Read the labelled images of ``transfer.data``; what would fail at the end is refused before.

    Parameters
    ----------
    how
        What tells this run from others of its stage, beside network, settings and images.

    Raises
    ------
    ConfigError
        The output cannot be a file, the network cannot take images of that size, or there are no labelled images.
    """
    settings = config.transfer
    if output.is_dir():
        raise ConfigError(
            f"--output {output} is a folder; name the file to write, such as {output / 'small.safetensors'}"
        )
    if settings.side_px < network.min_px:
        raise ConfigError(
            f"transfer.side_px: {network.name} takes images of {network.min_px} px and more, not {settings.side_px}"
        )
    examples, split = read_labelled_images(settings)
    device = device_of(resolve(config.execution))
    described = provenance_of(examples, split, settings)
    print_ = fingerprint(
        stage,
        network=network.digest,
        settings=settings.model_dump(mode="json"),
        examples=described["digest"],
        device=vars(device),
        **how,
    )
    task = task_of(examples, split, settings, device)
    return Prepared(examples, task, device, described, kept_work(output, print_))


def provenance_of(examples: LabelledImages, split: Split, settings: TransferConfig) -> dict[str, Any]:
    """Describe a task for a network file: where its images are, which they were, and how many are in which part."""
    return {
        "data": str(settings.data),
        "digest": images_identity(examples, split),
        "classes": list(examples.classes),
        "rows": {part: len(rows) for part, rows in vars(split).items()},
    }


def device_of(compute: Compute) -> Device:
    """Where learners are trained; sets torch's threads."""
    torch.set_num_threads(compute.threads)
    return Device(compute.device, compute.dtype == "bfloat16")


def task_of(examples: LabelledImages, split: Split, settings: TransferConfig, device: Device) -> Task:
    """Make a task of labelled images."""
    target = torch.from_numpy(examples.target)
    return Task(lambda rows: device.image_batch(examples, rows), target, examples.outputs, split, settings.side_px)


def parameters_of(trunk: nn.Module) -> int:
    """Parameters of the convolutions (and of what a convolution was split into)."""
    return sum(p.numel() for m in trunk.modules() if isinstance(m, nn.Conv2d) for p in m.parameters(recurse=False))


def outputs_on_test(trunk: nn.Module, head: LinearHead, task: Task, device: Device) -> NDArray[np.floating]:
    """Pass the test rows through a frozen trunk and its head: (n, output)."""
    learner = Learner(trunk, head).to(device.name).eval()
    return compute_once(learner, task.inputs, task.split.test, device).numpy()


def measure(
    trunk: nn.Module, head: LinearHead, task: Task, examples: LabelledImages, outputs: NDArray[np.floating]
) -> Measured:
    """Count what a frozen trunk costs, and judge what it and its head give for the test rows, (n, output)."""
    scores = judge_outputs(outputs, examples.target[task.split.test], examples.classes)
    convolutions = parameters_of(trunk)
    cost = cost_of(trunk, task.side_px)
    return Measured(convolutions, convolutions + sum(p.numel() for p in head.parameters()), cost.multiply_adds, scores)


def write_small(
    path: Path, source: NetworkSource, trunk: nn.Module, head: LinearHead, name: str, provenance: Mapping[str, Any]
) -> None:
    """Write a trunk whose convolutions may be narrower or split, and the head of its task, as a network file."""
    known = source.architecture
    header = header_up_to(known, known.feature_layer, name, provenance)
    if header.plan is not None:
        header = replace(header, plan=_narrowed(header.plan, merge_pairs(trunk)))
    kept = {f"head.{key}": value for key, value in head.state_dict().items()}
    write_network_file(path, header, trunk.state_dict() | kept)


def _narrowed(plan: tuple[Step, ...], trunk: nn.Module) -> tuple[Step, ...]:
    """PruningSchedule of a chain whose convolutions have become narrower."""
    widths = iter(m.out_channels for m in trunk.modules() if isinstance(m, nn.Conv2d))
    steps: list[Step] = []
    for step in plan:
        if step == "M":
            steps.append(step)
            continue
        conv = as_conv(step)
        width = next(widths)
        steps.append(Conv(width, conv.kernel, conv.stride) if isinstance(step, Conv) else width)
    return tuple(steps)
