"""The model trained on a task: a trunk of convolutions, the mean of its last map, and a linear head."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from wsi_scale.execution.compute import Compute
from wsi_scale.transfer.loop import Batch, LoopHooks, LoopSettings, LoopState, Objective, ParameterGroup, train
from wsi_scale.transfer.task import Task, compute_once, computed_once, passes, task_loss

#: What is added to a feature before its logarithm is taken, over the median feature's mean.
OFFSET = 0.01
#: Least that is added: half precision, in which files are written, holds it.
LEAST_OFFSET = 1e-6
#: Least standard deviation of a logarithm: what hardly varies is not blown up.
LEAST_DEVIATION = 0.1
#: A head on features that are computed once: rate, decay, rows in a batch, epochs, patience.
HEAD = LoopSettings(epochs=60, steps=1, learning_rate=1e-2, weight_decay=1e-2, patience=15)
HEAD_BATCH = 32


class LinearHead(nn.Module):
    """Pooled features (n, feature) ≥ 0 → outputs (n, output): linear in standardised logarithms of the features.

    Logarithms, because responses spread over orders of magnitude, and standardising would amplify a channel with
    almost no response to the training images.
    """

    offset: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("offset", torch.ones(()))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.linear = nn.Linear(features, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features to outputs."""
        # Whole precision: a bfloat16 of log2 mpp would be a step of a hundredth of an octave.
        with torch.autocast(features.device.type, enabled=False):
            outputs: torch.Tensor = self.linear(self.standardised(features.float()))
        return outputs

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """Map features to what the linear part reads, of the same shape."""
        return (torch.log(features.clamp(min=0) + self.offset) - self.mean) / self.deviation

    def standardise_by(self, features: torch.Tensor) -> None:
        """Set the constants from features (n, feature)."""
        typical = features.clamp(min=0).mean(dim=0).median()
        self.offset = (OFFSET * typical).clamp(min=LEAST_OFFSET)
        logarithms = torch.log(features.clamp(min=0) + self.offset)
        self.mean = logarithms.mean(dim=0)
        self.deviation = logarithms.std(dim=0, unbiased=False).clamp(min=LEAST_DEVIATION)


class Learner(nn.Module):
    """Images (n, 3, row, col), or maps that a frozen lower part made of them → outputs (n, output).

    Batch norms keep their statistics while the rest trains, unless ``learn_statistics``.
    """

    def __init__(self, trunk: nn.Module, head: LinearHead, *, learn_statistics: bool = False) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self._learn_statistics = learn_statistics

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images to outputs."""
        outputs: torch.Tensor = self.head(self.pooled(images))
        return outputs

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """Map images to the spatial means of the trunk's last map, (n, channel), float32."""
        maps: torch.Tensor = self.trunk(images)
        return maps.float().mean(dim=(2, 3))

    def train(self, mode: bool = True) -> "Learner":
        """Switch to training, all but batch norms that keep their statistics."""
        super().train(mode)
        for module in self.trunk.modules():
            if isinstance(module, nn.BatchNorm2d) and not self._learn_statistics:
                module.eval()
        return self


def standard_head(features: torch.Tensor, target: torch.Tensor, outputs: int) -> LinearHead:
    """Make an untrained head that standardises by training features (n, feature) and predicts their mean target."""
    head = LinearHead(features.shape[1], outputs)
    head.standardise_by(features)
    if target.is_floating_point():
        nn.init.constant_(head.linear.bias, float(target.mean()))
    return head


@dataclass(frozen=True)
class TuneSettings:
    """How a learner is trained on a task.

    Attributes
    ----------
    loop
        ``steps`` is set by the rows and the batch.
    batch
        Rows in a batch.
    penalty
        Of the model, added to the loss at each step; validation looks at the loss alone.
    groups
        What is trained at which rate; by default all that requires gradients at the loop's.
    """

    loop: LoopSettings
    batch: int
    penalty: Callable[[nn.Module], torch.Tensor] | None = None
    groups: Sequence[ParameterGroup] | None = None


def tune(
    learner: Learner, task: Task, settings: TuneSettings, compute: Compute, hooks: LoopHooks | None = None
) -> LoopState:
    """Train what requires gradients of a learner on the training rows; the best state on validation is kept."""
    target, split, seed = task.target, task.split, settings.loop.seed

    def batches(epoch: int) -> Iterator[Batch]:
        for chosen in passes(np.random.default_rng((seed, epoch)).permutation(split.training), settings.batch):
            yield task.inputs(chosen), target[chosen].to(compute.torch_device)

    def loss(model: nn.Module, given: Batch) -> torch.Tensor:
        with compute.precision():
            outputs = model(given[0])
        value = task_loss(outputs.float(), given[1])
        return value if settings.penalty is None else value + settings.penalty(model)

    def validate(model: nn.Module) -> float:
        return float(task_loss(compute_once(model, task.inputs, split.validation, compute), target[split.validation]))

    compute.use_threads()
    torch.manual_seed(seed)
    steps = -(-len(split.training) // settings.batch)
    objective = Objective(batches, loss, validate, settings.groups)
    return train(learner, objective, replace(settings.loop, steps=steps), hooks)


def fitted_head(trunk: nn.Module, task: Task, seed: int, compute: Compute) -> LinearHead:
    """Train a head on a frozen trunk, whose features are computed once: the same way for every network compared."""
    rows = np.concatenate([task.split.training, task.split.validation])
    frozen = Learner(trunk, LinearHead(1, 1)).to(compute.torch_device).eval()
    features = computed_once(frozen.pooled, task.inputs, rows, compute)
    training = task.split.training
    learner = Learner(nn.Identity(), standard_head(features(training), task.target[training], task.outputs))
    on_features = replace(task, inputs=lambda chosen: features(chosen)[:, :, None, None])
    tune(learner, on_features, TuneSettings(replace(HEAD, seed=seed), HEAD_BATCH), compute.on_cpu())
    return learner.head
