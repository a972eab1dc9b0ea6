"""What is trained on a task: a trunk of convolutions, the mean of its last map, and a linear head."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wsi_scale.networks.preprocessing import normalise
from wsi_scale.transfer.loop import Batch, LoopSettings, LoopState, ParameterGroup, train

#: Images that go through a network at once where nothing is learnt.
PASS_BATCH = 50
#: What is added to a feature before its logarithm is taken, over the median feature's mean.
OFFSET = 0.01
#: Least that is added: half precision, in which files are written, holds it.
LEAST_OFFSET = 1e-6
#: Least standard deviation of a logarithm: what hardly varies is not blown up.
LEAST_DEVIATION = 0.1

#: Rows → what a trunk takes.
Inputs = Callable[[NDArray[np.int64]], torch.Tensor]


@dataclass(frozen=True)
class LabelledImages:
    """Labelled images.

    Attributes
    ----------
    images
        (row,) indices → (n, side, side, rgb), uint8.
    target
        (row,) index of the class (int64), or log2 mpp (float32).
    groups
        (row,) what a split keeps together: patient, case or slide.
    classes
        Names of the classes; () where the target is log2 mpp.
    """

    images: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    target: NDArray[np.int64] | NDArray[np.float32]
    groups: NDArray[np.str_]
    classes: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """What a head for them has to give: a logit a class, or log2 mpp."""
        return max(1, len(self.classes))


@dataclass(frozen=True)
class Split:
    """Rows that train, that decide when to stop and what to keep, and that are reported on."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


class LinearHead(nn.Module):
    """Pooled features (n, feature) ≥ 0 → outputs (n, output): linear in standardised logarithms of the features.

    Logarithms, because responses spread over orders of magnitude, and a channel that training images hardly excite
    would be blown up by its own tiny deviation.
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
        """Take the constants from features (n, feature)."""
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


@dataclass(frozen=True)
class Device:
    """Where a learner is trained, and in which precision its convolutions run."""

    name: str = "cpu"
    half: bool = False

    def precision(self) -> torch.autocast:
        """Context in which a trunk runs."""
        return torch.autocast(self.name, torch.bfloat16, enabled=self.half)

    def image_batch(self, examples: LabelledImages, rows: NDArray[np.int64]) -> torch.Tensor:
        """Normalised images of some rows, (n, 3, side, side)."""
        return normalise(torch.from_numpy(np.ascontiguousarray(examples.images(rows))).to(self.name))


def task_loss(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of classes; Huber's loss (half an octave) of log2 mpp."""
    if target.is_floating_point():
        return nn.functional.huber_loss(outputs[:, 0], target, delta=0.5)
    return nn.functional.cross_entropy(outputs, target)


def passes(rows: NDArray[np.int64], batch: int = PASS_BATCH) -> Iterator[NDArray[np.int64]]:
    """Split rows into batches, in order."""
    for start in range(0, len(rows), batch):
        yield rows[start : start + batch]


@torch.no_grad()
def compute_once(
    module: Callable[[torch.Tensor], torch.Tensor], inputs: Inputs, rows: NDArray[np.int64], device: Device
) -> torch.Tensor:
    """Pass rows through a frozen module once: (n, …), float32, on the CPU."""
    with device.precision():
        return torch.cat([module(inputs(chosen)).float().cpu() for chosen in passes(rows)])


def computed_once(
    module: Callable[[torch.Tensor], torch.Tensor], inputs: Inputs, rows: NDArray[np.int64], device: Device
) -> Inputs:
    """Pass rows through a frozen module once, and hand out what it made of each from then on (on the CPU)."""
    values = compute_once(module, inputs, rows, device)
    place = np.full(int(rows.max()) + 1, -1)
    place[rows] = np.arange(len(rows))
    return lambda chosen: values[place[chosen]]


def standard_head(features: torch.Tensor, target: torch.Tensor, outputs: int) -> LinearHead:
    """Make an untrained head that standardises by training features (n, feature) and says their mean target."""
    head = LinearHead(features.shape[1], outputs)
    head.standardise_by(features)
    if target.is_floating_point():
        nn.init.constant_(head.linear.bias, float(target.mean()))
    return head


def tune(
    learner: Learner,
    inputs: Inputs,
    target: torch.Tensor,
    split: Split,
    settings: LoopSettings,
    device: Device,
    *,
    batch: int,
    penalty: Callable[[nn.Module], torch.Tensor] | None = None,
    groups: Sequence[ParameterGroup] | None = None,
    state: LoopState | None = None,
    on_epoch: Callable[[LoopState], None] = lambda _: None,
    on_step: Callable[[float], None] = lambda _: None,
) -> LoopState:
    """Train what requires gradients of a learner on the training rows; what validates best is kept.

    Parameters
    ----------
    inputs
        Rows → what the trunk takes: images, or maps of a frozen lower part that were computed once.
    target
        (row,) as in :class:`LabelledImages`.
    settings
        ``steps`` is set by the rows and the batch.
    batch
        Rows in a batch.
    penalty
        Of the model, added to the loss at each step; validation looks at the loss alone.
    """

    def batches(epoch: int) -> Iterator[Batch]:
        for chosen in passes(np.random.default_rng((settings.seed, epoch)).permutation(split.training), batch):
            yield inputs(chosen), target[chosen].to(device.name)

    def loss(model: nn.Module, given: Batch) -> torch.Tensor:
        with device.precision():
            outputs = model(given[0])
        value = task_loss(outputs.float(), given[1])
        return value if penalty is None else value + penalty(model)

    def validate(model: nn.Module) -> float:
        return float(task_loss(compute_once(model, inputs, split.validation, device), target[split.validation]))

    torch.manual_seed(settings.seed)
    steps = -(-len(split.training) // batch)
    return train(
        learner,
        batches,
        loss,
        validate,
        replace(settings, steps=steps),
        groups=groups,
        state=state,
        on_epoch=on_epoch,
        on_step=on_step,
    )
