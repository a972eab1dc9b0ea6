"""The training loop: seeded, early stopping on validation, resumable to the same result."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

Batch = tuple[torch.Tensor, ...]
Loss = Callable[[nn.Module, Batch], torch.Tensor]


@dataclass(frozen=True)
class LoopSettings:
    """How to train.

    Attributes
    ----------
    epochs, steps
        Most epochs, and batches in an epoch.
    learning_rate, weight_decay
        Of AdamW; the rate warms up over the first twentieth and falls along a cosine to zero.
    patience
        Epochs without a better validation score before training stops.
    seed
        Of everything random in the model's own layers (the batches bring their own).
    averaging
        Share that the running average of the weights keeps at each step; 0 for the weights as they are. The
        average is what is validated and kept (Polyak & Juditsky 1992, §2; here exponential, faster at the start).
    """

    epochs: int
    steps: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    patience: int = 10_000
    seed: int = 0
    averaging: float = 0.0


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with a learning rate of their own.

    Attributes
    ----------
    parameters
        What is trained.
    factor
        Of the learning rate.
    weight_decay
        None for the loop's.
    """

    parameters: Sequence[nn.Parameter]
    factor: float = 1.0
    weight_decay: float | None = None


@dataclass
class LoopState:
    """All that training needs to continue: plain tensors and numbers, saved without pickle.

    What is frozen never changes and is not part of it.

    Attributes
    ----------
    epoch
        Epochs trained.
    best_score, best_epoch, best_model
        Of the averaged weights.
    model, average, optimizer
        As the last epoch left them.
    history
        (mean loss, score) of every epoch.
    """

    epoch: int = 0
    best_score: float = math.inf
    best_epoch: int = -1
    model: dict[str, torch.Tensor] = field(default_factory=dict)
    average: dict[str, torch.Tensor] = field(default_factory=dict)
    best_model: dict[str, torch.Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Objective:
    """Training data, loss and validation of a model.

    Attributes
    ----------
    batches
        Epoch number → its batches; the same number must give the same batches, so that an interrupted
        training continues to the same result.
    loss
        Model and batch → scalar.
    validate
        Model in eval mode → score, smaller is better.
    groups
        What is trained at which rate; by default all that requires gradients at the loop's.
    """

    batches: Callable[[int], Iterable[Batch]]
    loss: Loss
    validate: Callable[[nn.Module], float]
    groups: Sequence[ParameterGroup] | None = None


@dataclass(frozen=True)
class LoopHooks:
    """The state to continue from, and callbacks of a training.

    Attributes
    ----------
    state
        Where an earlier call was interrupted (as handed to ``on_epoch``); None to begin.
    on_epoch, on_step
        Called with the state after each epoch, and with the loss after each step.
    """

    state: LoopState | None = None
    on_epoch: Callable[[LoopState], None] = lambda _: None
    on_step: Callable[[float], None] = lambda _: None


def rate_at(step: int, total: int) -> float:
    """Share of the full learning rate at a step: linear warm-up, then a cosine to zero."""
    warm_up = max(1, total // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


def train(model: nn.Module, objective: Objective, settings: LoopSettings, hooks: LoopHooks | None = None) -> LoopState:
    """Train in place and return the final state; the model ends with its best validated weights.

    Parameters
    ----------
    model
        Trained where its parameters require gradients.
    """
    hooks = hooks or LoopHooks()
    state = copy.deepcopy(hooks.state) if hooks.state else LoopState()
    training = _Training(model, copy.deepcopy(model), _optimizer(model, objective.groups, settings), settings)
    if state.epoch:
        training.restore(state)
    while state.epoch < settings.epochs and state.epoch - state.best_epoch <= settings.patience:
        torch.manual_seed(settings.seed * 100_003 + state.epoch)
        mean_loss = training.run_epoch(state.epoch, objective, hooks.on_step)
        training.average.eval()
        with torch.inference_mode():
            score = objective.validate(training.average)
        training.remember(state, mean_loss, score)
        hooks.on_epoch(state)
    model.load_state_dict(state.best_model, strict=False)
    model.eval()
    return state


@dataclass(frozen=True)
class _Training:
    """What changes while a model is trained."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    settings: LoopSettings

    def restore(self, state: LoopState) -> None:
        """Go back to where an epoch ended."""
        self.model.load_state_dict(state.model, strict=False)
        self.average.load_state_dict(state.average, strict=False)
        self.optimizer.load_state_dict(state.optimizer)

    def run_epoch(self, epoch: int, objective: Objective, on_step: Callable[[float], None]) -> float:
        """Train one epoch; returns the mean loss."""
        settings = self.settings
        self.model.train()
        losses = []
        for step, batch in enumerate(objective.batches(epoch), start=epoch * settings.steps):
            share = rate_at(step, settings.epochs * settings.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = settings.learning_rate * share * group["factor"]
            value = objective.loss(self.model, batch)
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            _average(self.average, self.model, min(settings.averaging, (step + 1) / (step + 10)))
            losses.append(float(value.detach()))
            on_step(losses[-1])
        return sum(losses) / max(1, len(losses))

    def remember(self, state: LoopState, mean_loss: float, score: float) -> None:
        """Note how an epoch ended."""
        state.history.append((mean_loss, score))
        state.model, state.average = _snapshot(self.model), _snapshot(self.average)
        if score < state.best_score or not state.best_model:
            state.best_score, state.best_epoch, state.best_model = score, state.epoch, state.average
        state.optimizer = copy.deepcopy(self.optimizer.state_dict())
        state.epoch += 1


def _optimizer(
    model: nn.Module, groups: Sequence[ParameterGroup] | None, settings: LoopSettings
) -> torch.optim.Optimizer:
    chosen = groups or [ParameterGroup([p for p in model.parameters() if p.requires_grad])]
    described = [
        {
            "params": list(group.parameters),
            "factor": group.factor,
            "weight_decay": settings.weight_decay if group.weight_decay is None else group.weight_decay,
        }
        for group in chosen
    ]
    return torch.optim.AdamW(described, lr=settings.learning_rate)


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, kept: float) -> None:
    for (_, mean), (_, value) in zip(_moving(average), _moving(model), strict=True):
        if mean.dtype.is_floating_point and kept:
            mean.lerp_(value, 1 - kept)
        else:
            mean.copy_(value)


def _snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in _moving(model)}


def _moving(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """List what training may change, under the names of the model's state."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return ((name, value) for name, value in model.state_dict().items() if name not in frozen)
