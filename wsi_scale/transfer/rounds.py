"""Pruning in rounds: train what stands for importance, remove what scores least, and again on the smaller network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from wsi_scale.networks.graph import ChannelFlow
from wsi_scale.transfer import basis, channels
from wsi_scale.transfer.budget import Kept, keep_best
from wsi_scale.transfer.learner import (
    Device,
    Inputs,
    Learner,
    LinearHead,
    Split,
    computed_once,
    passes,
    standard_head,
    task_loss,
    tune,
)
from wsi_scale.transfer.loop import LoopSettings, LoopState, ParameterGroup

#: A head on features that are computed once: rate, decay, rows in a batch, epochs, patience.
HEAD = LoopSettings(epochs=60, steps=1, learning_rate=1e-2, weight_decay=1e-2, patience=15)
HEAD_BATCH = 32
#: Share that the running average of scales keeps at each step: batches are small, and 16 layers' scales multiply.
AVERAGING = 0.9
#: Training images, at most, on which a round estimates importance.
IMPORTANCE_ROWS = 100


@dataclass(frozen=True)
class Task:
    """Labelled images and who sees which: all that trains and judges a network.

    Attributes
    ----------
    inputs
        Rows → images (n, 3, side, side).
    target
        (row,) index of the class, or log2 mpp.
    outputs
        Classes, or 1.
    split
        Rows of each part.
    side_px
        Side of the images.
    """

    inputs: Inputs
    target: torch.Tensor
    outputs: int
    split: Split
    side_px: int


@dataclass(frozen=True)
class PruningSchedule:
    """How a network is made smaller.

    Attributes
    ----------
    keep_fraction
        Share of the convolutions' parameters that is kept in the end, 0–1.
    rounds
        Rounds on the way there, each removing the same share of what the last one kept.
    epochs, batch, learning_rate, seed
        Of each round's training.
    """

    keep_fraction: float
    rounds: int = 12
    epochs: int = 1
    batch: int = 8
    learning_rate: float = 5e-3
    seed: int = 0

    def share_after(self, done: int) -> float:
        """Share of the parameters that may be left after some rounds."""
        return float(self.keep_fraction ** (done / self.rounds))


@dataclass
class PruneState:
    """All that pruning needs to go on after an interruption.

    Attributes
    ----------
    finished
        A finished round: what it trained ("model"), what stayed ("kept"), and from which score on ("threshold").
    loop
        Of the round under way, as :class:`~wsi_scale.transfer.loop.LoopState` holds it; {} between rounds.
    """

    finished: list[dict[str, Any]] = field(default_factory=list)
    loop: dict[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """A way to make a trunk smaller."""

    @property
    def least_score(self) -> float:
        """What scores less is removed in any case."""

    def attach(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy, frozen but for what stands for importance."""

    def scales(self, trunk: fx.GraphModule) -> list[nn.Parameter]:
        """List what stands for importance."""

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Punish what is large; None where nothing is."""

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Layer → importance of its channels or vectors."""

    def parameters(self, trunk: fx.GraphModule, kept: Kept) -> int:
        """Parameters of the convolutions where only some stay."""

    def remove(self, learner: Learner, kept: Kept) -> Learner:
        """Remove the others."""

    def fold(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy of plain convolutions."""


@dataclass(frozen=True)
class ChannelScaling:
    """Wong et al. 2021: scales behind ReLUs, their L1 norm, a threshold.

    Attributes
    ----------
    flow
        Of the trunk.
    weight
        Of the mean scale in the loss.
    costs
        Convolution → what each of its channels counts in that mean.
    least_score
        Scale below which a channel goes in any case.
    """

    flow: ChannelFlow
    weight: float
    costs: Mapping[str, float]
    least_score: float = channels.DEAD

    def attach(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy with a scale of 1 behind every ReLU."""
        return channels.attach_scales(trunk, self.flow)

    def scales(self, trunk: fx.GraphModule) -> list[nn.Parameter]:
        """List the scales."""
        return [channels.scale_of(trunk, site).scale for site in self.flow.activated]

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Weighted mean of the scales."""
        return self.weight * channels.penalty_of(trunk, self.flow, self.costs)

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Score a channel by its scale."""
        return channels.scales_of(cast(fx.GraphModule, learner.trunk), self.flow)

    def parameters(self, trunk: fx.GraphModule, kept: Kept) -> int:
        """Parameters of the convolutions where only some channels stay."""
        return channels.parameters_kept(trunk, self.flow, kept)

    def remove(self, learner: Learner, kept: Kept) -> Learner:
        """Remove the other channels."""
        return channels.narrow_learner(learner, self.flow, kept)

    def fold(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Multiply the scales into the convolutions before them."""
        return channels.fold_scales(trunk, self.flow)


@dataclass(frozen=True)
class Magnitude(ChannelScaling):
    """The control: channels go by the L1 norm of their filters (Li et al. 2017), whatever the task.

    Attributes
    ----------
    sizes
        Convolution → mean size of its weights before anything was removed. Norms are held against it in every round:
        against what is left, the small filters of a thinned layer would look small again, and again.
    """

    sizes: Mapping[str, float] = field(kw_only=True)

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Nothing is punished."""
        return None

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Norms of the filters, for each weight, over their whole layer's mean."""
        sizes = channels.filter_sizes(cast(fx.GraphModule, learner.trunk), self.flow)
        return {conv: values / self.sizes[conv] for conv, values in sizes.items()}


@dataclass(frozen=True)
class BasisScaling:
    """Wong et al. 2024: factors of orthonormal filters, first-order Taylor importance."""

    least_score: float = 0.0

    def attach(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy of split convolutions."""
        return cast(fx.GraphModule, basis.attach_bases(trunk))

    def scales(self, trunk: fx.GraphModule) -> list[nn.Parameter]:
        """List the factors."""
        return [split.scale for split in basis.bases_of(trunk).values()]

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Nothing is punished."""
        return None

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Taylor importance for each parameter."""
        return basis.taylor_importance(learner.trunk, losses)

    def parameters(self, trunk: fx.GraphModule, kept: Kept) -> int:
        """Parameters of the convolutions where only some vectors stay."""
        return basis.parameters_kept(trunk, kept)

    def remove(self, learner: Learner, kept: Kept) -> Learner:
        """Remove the other vectors."""
        basis.remove_vectors(learner.trunk, kept)
        return learner

    def fold(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Multiply the factors in; split only where that is smaller."""
        # Traced anew, so that the two halves of a split convolution are steps of the graph.
        return fx.symbolic_trace(basis.fold_bases(trunk)).eval()


def prune(
    trunk: fx.GraphModule,
    method: Method,
    task: Task,
    plan: PruningSchedule,
    device: Device,
    *,
    most: int,
    state: PruneState | None = None,
    on_epoch: Callable[[PruneState], None] = lambda _: None,
    on_step: Callable[[float], None] = lambda _: None,
) -> fx.GraphModule:
    """Make a trunk smaller in rounds; nothing but scales and the head is ever trained.

    Parameters
    ----------
    trunk
        Images → map, as :func:`wsi_scale.networks.graph.single_output` makes it.
    most
        Parameters of the convolutions that all of it stands for; the plan's shares are of these.
    state
        Where an earlier call was interrupted (as handed to ``on_epoch``).

    Returns
    -------
    trunk
        Of plain convolutions, on the CPU.
    """
    state = state or PruneState()
    learner = Learner(method.attach(trunk), fitted_head(trunk, task, plan.seed, device)).to(device.name)
    for done in state.finished:
        learner.load_state_dict(done["model"], strict=False)
        learner = method.remove(learner.cpu(), done["kept"]).to(device.name)
    for number in range(len(state.finished), plan.rounds):
        _train_scales(learner, method, task, plan, device, state, on_epoch, on_step, seed=plan.seed * 1000 + number)
        inside = cast(fx.GraphModule, learner.trunk)
        scores = method.scores(learner, _losses(learner, task, plan, device, number))
        kept, threshold = keep_best(
            {name: values.cpu() for name, values in scores.items()},
            lambda chosen, inside=inside: method.parameters(inside, chosen),  # type: ignore[misc]
            int(most * plan.share_after(number + 1)),
            method.least_score,
        )
        learnt = {name: value.detach().cpu().clone() for name, value in _learnt(learner).items()}
        state.finished.append({"model": learnt, "kept": kept, "threshold": threshold})
        state.loop = {}
        learner = method.remove(learner.cpu(), kept).to(device.name)
        on_epoch(state)
    _train_scales(learner, method, task, plan, device, state, on_epoch, on_step, seed=plan.seed * 1000 + 999, last=True)
    return method.fold(cast(fx.GraphModule, learner.trunk).cpu())


def _train_scales(
    learner: Learner,
    method: Method,
    task: Task,
    plan: PruningSchedule,
    device: Device,
    state: PruneState,
    on_epoch: Callable[[PruneState], None],
    on_step: Callable[[float], None],
    *,
    seed: int,
    last: bool = False,
) -> None:
    def remember(loop: LoopState) -> None:
        state.loop = vars(loop)
        on_epoch(state)

    scales = method.scales(cast(fx.GraphModule, learner.trunk))
    tune(
        learner,
        task.inputs,
        task.target,
        task.split,
        LoopSettings(plan.epochs, 1, plan.learning_rate, 0.0, seed=seed, averaging=AVERAGING),
        device,
        batch=plan.batch,
        penalty=None if last else _penalty(method),
        groups=[ParameterGroup(scales), ParameterGroup(list(learner.head.parameters()), 0.2, HEAD.weight_decay)],
        state=LoopState(**state.loop) if state.loop else None,
        on_epoch=remember,
        on_step=on_step,
    )


def _penalty(method: Method) -> Callable[[nn.Module], torch.Tensor]:
    def penalty(model: nn.Module) -> torch.Tensor:
        value = method.penalty(cast(fx.GraphModule, cast(Learner, model).trunk))
        return torch.zeros(()) if value is None else value

    return penalty


def _losses(
    learner: Learner, task: Task, plan: PruningSchedule, device: Device, number: int
) -> list[Callable[[], torch.Tensor]]:
    """One function a batch of some training images that computes the loss in evaluation mode."""
    mixed = np.random.default_rng((plan.seed, number)).permutation(task.split.training)[:IMPORTANCE_ROWS]

    def loss(rows: NDArray[np.int64]) -> torch.Tensor:
        learner.eval()
        with device.precision():
            outputs = learner(task.inputs(rows))
        return task_loss(outputs.float(), task.target[rows].to(device.name))

    return [lambda rows=rows: loss(rows) for rows in passes(mixed, plan.batch)]  # type: ignore[misc]


def _learnt(learner: Learner) -> dict[str, torch.Tensor]:
    trained = {name for name, parameter in learner.named_parameters() if parameter.requires_grad}
    heads = {f"head.{name}" for name in learner.head.state_dict()}
    return {name: value for name, value in learner.state_dict().items() if name in trained | heads}


def fitted_head(trunk: nn.Module, task: Task, seed: int, device: Device) -> LinearHead:
    """Train a head on a frozen trunk, whose features are computed once: the same way for every network compared."""
    rows = np.concatenate([task.split.training, task.split.validation])
    frozen = Learner(trunk, LinearHead(1, 1)).to(device.name).eval()
    features = computed_once(frozen.pooled, task.inputs, rows, device)
    training = task.split.training
    learner = Learner(nn.Identity(), standard_head(features(training), task.target[training], task.outputs))
    tune(
        learner,
        lambda chosen: features(chosen)[:, :, None, None],
        task.target,
        task.split,
        replace(HEAD, seed=seed),
        Device(),
        batch=HEAD_BATCH,
    )
    return learner.head
