"""A task: labelled images, their split, and the loss."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wsi_scale.execution.compute import Compute
from wsi_scale.networks.preprocessing import normalise

#: Images that go through a network at once where nothing is learnt.
PASS_BATCH = 50

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
        """Outputs of a head for them: one logit for each class, or log2 mpp."""
        return max(1, len(self.classes))


@dataclass(frozen=True)
class Split:
    """Rows for training, for validation (early stopping), and for testing."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """Labelled images as network inputs, with their split.

    Attributes
    ----------
    inputs
        Rows → images (n, 3, side, side), or maps that a frozen lower part made of them.
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


def task_of(images: LabelledImages, split: Split, side_px: int, compute: Compute) -> Task:
    """Make a task of labelled images: normalised where they are asked for, on the device."""

    def inputs(rows: NDArray[np.int64]) -> torch.Tensor:
        return normalise(torch.from_numpy(np.ascontiguousarray(images.images(rows))).to(compute.torch_device))

    return Task(inputs, torch.from_numpy(images.target), images.outputs, split, side_px)


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
    module: Callable[[torch.Tensor], torch.Tensor], inputs: Inputs, rows: NDArray[np.int64], compute: Compute
) -> torch.Tensor:
    """Pass rows through a frozen module once: (n, …), float32, on the CPU."""
    compute.use_threads()
    with compute.precision():
        return torch.cat([module(inputs(chosen)).float().cpu() for chosen in passes(rows)])


def computed_once(
    module: Callable[[torch.Tensor], torch.Tensor], inputs: Inputs, rows: NDArray[np.int64], compute: Compute
) -> Inputs:
    """Pass rows through a frozen module once, and hand out what it made of each from then on (on the CPU)."""
    values = compute_once(module, inputs, rows, compute)
    place = np.full(int(rows.max()) + 1, -1)
    place[rows] = np.arange(len(rows))
    return lambda chosen: values[place[chosen]]
