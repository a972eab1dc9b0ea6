"""Pruning in rounds: train importance scales, remove what scores least, and repeat on the smaller network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from wsi_scale.execution.compute import Compute
from wsi_scale.transfer.budget import keep_best
from wsi_scale.transfer.cost import convolution_parameters
from wsi_scale.transfer.learner import HEAD, Learner, TuneSettings, fitted_head, tune
from wsi_scale.transfer.loop import LoopHooks, LoopSettings, LoopState, ParameterGroup
from wsi_scale.transfer.methods import PruningMethod
from wsi_scale.transfer.task import Task, passes, task_loss

#: Share that the running average of scales keeps at each step: batches are small, and 16 layers' scales multiply.
AVERAGING = 0.9
#: Training images, at most, on which a round estimates importance.
IMPORTANCE_ROWS = 100
#: Seeds of one pruning's trainings: a thousand apart from the next, the last for what follows the last round.
SEEDS, LAST_SEED = 1000, 999


@dataclass(frozen=True)
class PruningSchedule:
    """Settings of a pruning.

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
        """Share of the parameters that may be kept after some rounds."""
        return float(self.keep_fraction ** (done / self.rounds))


@dataclass
class PruneState:
    """All that pruning needs to continue after an interruption.

    Attributes
    ----------
    finished
        A finished round: what it trained ("model"), what stayed ("kept"), and from which score on ("threshold").
    loop
        Of the round under way, as :class:`~wsi_scale.transfer.loop.LoopState` holds it; {} between rounds.
    """

    finished: list[dict[str, Any]] = field(default_factory=list)
    loop: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PruneHooks:
    """The state to continue from, and callbacks of a pruning.

    Attributes
    ----------
    state
        Where an earlier call was interrupted (as handed to ``on_epoch``); None to begin.
    on_epoch, on_step
        Called with the state after each epoch and each round, and with the loss after each step.
    """

    state: PruneState | None = None
    on_epoch: Callable[[PruneState], None] = lambda _: None
    on_step: Callable[[float], None] = lambda _: None


def prune(
    trunk: fx.GraphModule,
    method: PruningMethod,
    task: Task,
    schedule: PruningSchedule,
    compute: Compute,
    hooks: PruneHooks | None = None,
) -> fx.GraphModule:
    """Prune a trunk in rounds; only scales and the head are trained.

    Parameters
    ----------
    trunk
        Images → map, as :func:`wsi_scale.networks.graph.single_output` makes it; the schedule's shares are of the
        parameters of its convolutions.

    Returns
    -------
    trunk
        Of plain convolutions, on the CPU.
    """
    hooks = hooks or PruneHooks()
    pruning = _Pruning(method, task, schedule, compute, hooks.state or PruneState(), hooks)
    whole = convolution_parameters(trunk)
    learner = Learner(method.attach(trunk), fitted_head(trunk, task, schedule.seed, compute)).to(compute.torch_device)
    for done in pruning.state.finished:
        learner.load_state_dict(done["model"], strict=False)
        learner = method.remove(learner.cpu(), done["kept"]).to(compute.torch_device)
    for number in range(len(pruning.state.finished), schedule.rounds):
        learner = pruning.run_round(learner, number, int(whole * schedule.share_after(number + 1)))
    pruning.train_scales(learner, LAST_SEED, penalised=False)
    return method.fold(cast(fx.GraphModule, learner.trunk).cpu())


@dataclass(frozen=True)
class _Pruning:
    """All that the rounds of one pruning share."""

    method: PruningMethod
    task: Task
    schedule: PruningSchedule
    compute: Compute
    state: PruneState
    hooks: PruneHooks

    def run_round(self, learner: Learner, number: int, most: int) -> Learner:
        """Train the scales, and remove what scores least until ``most`` parameters are left."""
        self.train_scales(learner, number)
        inside = cast(fx.GraphModule, learner.trunk)
        scores = self.method.scores(learner, self._losses(learner, number))
        kept, threshold = keep_best(
            {name: values.cpu() for name, values in scores.items()},
            lambda chosen: self.method.parameters(inside, chosen),
            most,
            self.method.least_score,
        )
        learnt = {name: value.detach().cpu().clone() for name, value in _learnt(learner).items()}
        self.state.finished.append({"model": learnt, "kept": kept, "threshold": threshold})
        self.state.loop = {}
        narrower = self.method.remove(learner.cpu(), kept).to(self.compute.torch_device)
        self.hooks.on_epoch(self.state)
        return narrower

    def train_scales(self, learner: Learner, number: int, *, penalised: bool = True) -> None:
        """Train scales and head, going on where a round was interrupted."""
        schedule, state = self.schedule, self.state

        def remember(loop: LoopState) -> None:
            state.loop = vars(loop)
            self.hooks.on_epoch(state)

        loop = LoopSettings(
            schedule.epochs, 1, schedule.learning_rate, 0.0, seed=schedule.seed * SEEDS + number, averaging=AVERAGING
        )
        scales = self.method.scales(cast(fx.GraphModule, learner.trunk))
        groups = [ParameterGroup(scales), ParameterGroup(list(learner.head.parameters()), 0.2, HEAD.weight_decay)]
        settings = TuneSettings(loop, schedule.batch, self._penalty if penalised else None, groups)
        under_way = LoopState(**state.loop) if state.loop else None
        tune(learner, self.task, settings, self.compute, LoopHooks(under_way, remember, self.hooks.on_step))

    def _penalty(self, model: nn.Module) -> torch.Tensor:
        value = self.method.penalty(cast(fx.GraphModule, cast(Learner, model).trunk))
        return torch.zeros(()) if value is None else value

    def _losses(self, learner: Learner, number: int) -> list[Callable[[], torch.Tensor]]:
        """One function a batch of some training images that computes the loss in evaluation mode."""
        task, rng = self.task, np.random.default_rng((self.schedule.seed, number))
        mixed = rng.permutation(task.split.training)[:IMPORTANCE_ROWS]

        def loss(rows: NDArray[np.int64]) -> torch.Tensor:
            learner.eval()
            with self.compute.precision():
                outputs = learner(task.inputs(rows))
            return task_loss(outputs.float(), task.target[rows].to(self.compute.torch_device))

        return [lambda rows=rows: loss(rows) for rows in passes(mixed, self.schedule.batch)]  # type: ignore[misc]


def _learnt(learner: Learner) -> dict[str, torch.Tensor]:
    trained = {name for name, parameter in learner.named_parameters() if parameter.requires_grad}
    heads = {f"head.{name}" for name in learner.head.state_dict()}
    return {name: value for name, value in learner.state_dict().items() if name in trained | heads}
