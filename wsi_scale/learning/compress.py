"""`prune channels` and `prune basis`: a network and labelled images → a smaller network for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import fx, nn

from wsi_scale.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsi_scale.config.models import Config
from wsi_scale.config.training import TransferConfig
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.progress import progress
from wsi_scale.learning.transfer_task import prepare_task
from wsi_scale.networks.chain import Conv, Step, as_conv
from wsi_scale.networks.cut import header_up_to
from wsi_scale.networks.file import write_network_file
from wsi_scale.networks.graph import channel_flow, single_output
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.transfer.basis import merge_pairs
from wsi_scale.transfer.channels import mean_sizes, operation_costs
from wsi_scale.transfer.cost import convolution_parameters, cost_of, tiles_per_second
from wsi_scale.transfer.judge import TaskScores, judge_outputs
from wsi_scale.transfer.learner import Learner, LinearHead, fitted_head
from wsi_scale.transfer.methods import BasisScaling, ChannelScaling, Magnitude, PruningMethod
from wsi_scale.transfer.rounds import PruneHooks, PruneState, PruningSchedule, prune
from wsi_scale.transfer.task import LabelledImages, Task, compute_once

MethodName = Literal["channels", "basis", "magnitude"]


@dataclass(frozen=True)
class Measured:
    """Cost of a network, and its scores on the test images with a head of its own.

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
    work = prepare_task(config, "prune", whole, output, method=method)
    task, compute, checkpoint = work.task, work.compute, work.checkpoint
    state = read_checkpoint(checkpoint, PruneState) if checkpoint.exists() else PruneState()
    with progress("prune", (settings.rounds + 1) * settings.epochs, unit="epochs") as advance:
        advance(len(state.finished) * settings.epochs + int(state.loop.get("epoch", 0)))

        def on_epoch(now: PruneState) -> None:
            write_checkpoint(checkpoint, now)
            advance(1 if now.loop else 0)

        small = prune(trunk, way, task, schedule_of(settings), compute, PruneHooks(state, on_epoch))
    heads = [fitted_head(part, task, settings.seed, compute) for part in (trunk, small)]
    measured = [
        measure(part, head, task, work.images, outputs_on_test(part, head, task, compute))
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
    return Compressed(output, work.images.classes, measured[0], measured[1], (rates[0], rates[1]))


def _round_of(done: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a finished round; its threshold is None where none met the budget."""
    threshold = done["threshold"]
    return {
        "threshold": round(threshold, 6) if math.isfinite(threshold) else None,
        "kept": {name: int(mask.sum()) for name, mask in done["kept"].items()},
    }


def method_of(method: MethodName, trunk: fx.GraphModule, name: str, settings: TransferConfig) -> PruningMethod:
    """Choose how a trunk is made smaller; refuses networks that the method does not support."""
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


def schedule_of(settings: TransferConfig) -> PruningSchedule:
    """Read from a configuration how a network is made smaller."""
    return PruningSchedule(
        settings.keep_fraction, settings.rounds, settings.epochs, settings.batch, settings.learning_rate, settings.seed
    )


def outputs_on_test(trunk: nn.Module, head: LinearHead, task: Task, compute: Compute) -> NDArray[np.floating]:
    """Pass the test rows through a frozen trunk and its head: (n, output)."""
    learner = Learner(trunk, head).to(compute.torch_device).eval()
    return compute_once(learner, task.inputs, task.split.test, compute).numpy()


def measure(
    trunk: nn.Module, head: LinearHead, task: Task, images: LabelledImages, outputs: NDArray[np.floating]
) -> Measured:
    """Count what a frozen trunk costs, and judge what it and its head give for the test rows, (n, output)."""
    scores = judge_outputs(outputs, images.target[task.split.test], images.classes)
    convolutions = convolution_parameters(trunk)
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
    """Make the plan of a chain whose convolutions have become narrower."""
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
