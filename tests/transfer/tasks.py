"""Small tasks and networks to train on."""

import numpy as np
import torch
from numpy.typing import NDArray

from wsi_scale.execution.compute import Compute
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.transfer.task import LabelledImages, Split, Task, task_of

COMPUTE = Compute("cpu", "float32", threads=1, batch_mpx=1.0)


def network_source(name: str) -> NetworkSource:
    """The embedded network, or another with seeded weights."""
    if name == "embedded":
        return find_network(name)
    torch.manual_seed(3)
    known = architecture(name)
    return NetworkSource(known, known.build().eval().state_dict(), "a seed")


def stripes(count: int = 48, side_px: int = 48, seed: int = 0) -> LabelledImages:
    """Stripes of two widths, with noise; the width is the class."""
    rng = np.random.default_rng(seed)
    target = np.arange(count) % 2
    rows = np.arange(side_px)[:, None] + np.zeros(side_px)
    waves = [np.sin(rows * (0.4 + 0.5 * label) + rng.uniform(0, 6)) for label in target]
    grey = np.stack([128 + 60 * wave + rng.normal(0, 40, wave.shape) for wave in waves])
    images = np.repeat(grey[..., None], 3, axis=3).clip(0, 255).astype(np.uint8)
    return LabelledImages(lambda chosen: images[chosen], target, np.arange(count).astype(str), ("coarse", "fine"))


def split_of(count: int = 48) -> Split:
    """The first half trains, a quarter validates, a quarter tests."""
    rows: NDArray[np.int64] = np.arange(count)
    return Split(rows[: count // 2], rows[count // 2 : 3 * count // 4], rows[3 * count // 4 :])


def stripes_task(images: LabelledImages | None = None, side_px: int = 48) -> Task:
    """The stripes as a task on the CPU."""
    chosen = images or stripes(side_px=side_px)
    return task_of(chosen, split_of(len(chosen.target)), side_px, COMPUTE)
