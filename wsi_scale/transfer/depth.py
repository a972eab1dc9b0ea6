"""Tuning depth: the top blocks and the head are trained, lower blocks are frozen or removed.

Kandel & Castelli (2020) tune block by block from the top; Peng et al. (2023) keep and tune the lowest blocks and cut
the others away.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from wsi_scale.execution.compute import Compute
from wsi_scale.networks.graph import block_modules, single_output, split_after
from wsi_scale.networks.network import Network
from wsi_scale.transfer.learner import HEAD, Learner, LinearHead, TuneSettings, standard_head, tune
from wsi_scale.transfer.loop import LoopHooks, LoopSettings, ParameterGroup
from wsi_scale.transfer.task import Inputs, Task, compute_once, computed_once

#: Learning rate of the head over the topmost block's.
HEAD_FACTOR = 10.0
#: The same of a head alone: of 5, 10, 30 and 100 the one whose validation loss lies near the best on pneumonia,
#: PatchCamelyon and mpp alike, with VGG19, SqueezeNet and the embedded network (12 epochs, 400 images).
HEAD_ALONE_FACTOR = 30.0
#: Maps of a frozen part that are computed once, bytes at most; more are computed at each step.
CACHE_BYTES = 4 << 30


@dataclass(frozen=True)
class Tuning:
    """How the top of a network is tuned.

    Attributes
    ----------
    epochs, batch, patience, seed
        Of the training.
    rate, block_decay
        Learning rate of the topmost block, and each block's as a share of the one above.
    batch_norm
        Whether batch norms of tuned blocks keep their statistics; those of frozen blocks always do.
    cache
        Whether what the frozen part makes of the images is computed once (where memory allows), instead of at each
        step. That excludes images that differ from epoch to epoch; the result is the same.
    """

    epochs: int = 20
    batch: int = 16
    patience: int = 5
    seed: int = 0
    rate: float = 1e-4
    block_decay: float = 0.5
    batch_norm: Literal["frozen", "tuned"] = "frozen"
    cache: bool = True


@dataclass(frozen=True)
class Depth:
    """A network as it is tuned to some depth.

    Attributes
    ----------
    lower
        Images → maps, frozen; None where everything learns.
    upper
        Those maps (or images) → the last map; None where only the head learns.
    blocks
        Modules of the upper part, block by block, shallow to deep.
    """

    lower: fx.GraphModule | None
    upper: fx.GraphModule | None
    blocks: Sequence[Sequence[str]]


def at_depth(network: Network, ends: Sequence[str], depth: int) -> Depth:
    """Divide a network into what is frozen and the top ``depth`` blocks.

    Parameters
    ----------
    network
        Tapped at ``ends``, the last layer of each block; the last of them is its deepest tap.
    depth
        0 for the head alone, up to the number of blocks.
    """
    blocks = block_modules(network, ends)
    if depth == 0:
        return Depth(single_output(network), None, ())
    if depth == len(ends):
        return Depth(None, single_output(network), blocks)
    lower, upper = split_after(network, ends[-depth - 1])
    return Depth(lower, upper, blocks[-depth:])


def finetune(
    parts: Depth,
    task: Task,
    tuning: Tuning,
    compute: Compute,
    hooks: LoopHooks | None = None,
) -> tuple[Learner, Inputs]:
    """Tune the upper part and a head; nothing of the lower part changes.

    Returns
    -------
    learner, inputs
        In evaluation mode, on the device; and what it takes for a row.
    """
    inputs = _inputs(_frozen(parts, compute), task, compute, cache=tuning.cache)
    upper = nn.Identity() if parts.upper is None else parts.upper.requires_grad_(True)
    learner = Learner(upper, LinearHead(1, 1), learn_statistics=tuning.batch_norm == "tuned").to(compute.torch_device)
    learner.eval()
    features = compute_once(learner.pooled, inputs, task.split.training, compute)
    learner.head = standard_head(features, task.target[task.split.training], task.outputs).to(compute.torch_device)
    loop = LoopSettings(tuning.epochs, 1, tuning.rate, HEAD.weight_decay, tuning.patience, tuning.seed)
    settings = TuneSettings(loop, tuning.batch, groups=_groups(learner, parts, tuning))
    tune(learner, replace(task, inputs=inputs), settings, compute, hooks)
    return learner, inputs


def _frozen(parts: Depth, compute: Compute) -> Callable[[torch.Tensor], torch.Tensor] | None:
    if parts.lower is None:
        return None
    lower = parts.lower.requires_grad_(False).eval().to(compute.torch_device)
    if parts.upper is not None:
        return lower
    # Only spatial means go into a head: those are kept, as maps of one pixel.
    return lambda images: lower(images).float().mean(dim=(2, 3), keepdim=True)


def _inputs(
    frozen: Callable[[torch.Tensor], torch.Tensor] | None, task: Task, compute: Compute, *, cache: bool
) -> Inputs:
    if frozen is None:
        return task.inputs

    @torch.no_grad()
    def at_each_step(rows: NDArray[np.int64]) -> torch.Tensor:
        with compute.precision():
            return frozen(task.inputs(rows)).float()

    rows = np.concatenate([task.split.training, task.split.validation])
    size = math.prod(at_each_step(rows[:1]).shape) * 4 * len(rows)
    if not cache or size > CACHE_BYTES:
        return at_each_step
    maps = computed_once(frozen, task.inputs, rows, compute)
    # Test images pass once in any case.
    return lambda chosen: maps(chosen).to(compute.torch_device) if np.isin(chosen, rows).all() else at_each_step(chosen)


def _groups(learner: Learner, parts: Depth, tuning: Tuning) -> list[ParameterGroup]:
    if parts.upper is None:
        return [ParameterGroup(list(learner.head.parameters()), HEAD_ALONE_FACTOR)]
    groups = [ParameterGroup(list(learner.head.parameters()), HEAD_FACTOR)]
    for above, block in enumerate(reversed(parts.blocks)):
        parameters = [p for name in block for p in parts.upper.get_submodule(name).parameters()]
        if parameters:
            groups.append(ParameterGroup(parameters, tuning.block_decay**above))
    return groups
