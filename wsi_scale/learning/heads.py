"""Heads of frozen networks: trained on features by the one training loop."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from wsi_scale.magnification.head import Head
from wsi_scale.magnification.training import HeadModule, mean_log2_mpp, scale_loss
from wsi_scale.transfer.loop import Batch, LoopHooks, LoopSettings, Objective, train

#: Batch of a head's training, its epochs, and the share of groups that early stopping looks at.
BATCH, EPOCHS, PATIENCE, VALIDATION_SHARE = 128, 60, 12, 0.15


def fit_head(
    features: NDArray[np.floating],
    log2_mpp: NDArray[np.floating],
    groups: Sequence[str],
    *,
    seed: int,
    hidden: int = 64,
    on_epoch: Callable[[int], None] = lambda _: None,
) -> Head:
    """Train a head on features of tiles; early stopping goes by groups that are not fitted on.

    Parameters
    ----------
    features, log2_mpp, groups
        (tile, feature) log features, (tile,) and (tile,) case or slide.
    """
    order = np.random.default_rng(seed).permutation(sorted(set(groups)))
    held = set(order[: max(1, round(VALIDATION_SHARE * len(order)))])
    outside = np.array([group in held for group in groups])
    x = torch.from_numpy(np.asarray(features, np.float32))
    y = torch.from_numpy(np.asarray(log2_mpp, np.float32))
    inside = np.flatnonzero(~outside)

    def batches(epoch: int) -> Iterator[Batch]:
        mixed = np.random.default_rng((seed, epoch)).permutation(inside)
        for start in range(0, len(mixed) - 1, BATCH):
            rows = torch.from_numpy(mixed[start : start + BATCH])
            # A lone tile has no batch statistics.
            if len(rows) > 1:
                yield x[rows], y[rows]

    torch.manual_seed(seed)
    model = HeadModule(x.shape[1], hidden)
    model.norm.running_mean, model.norm.running_var = x[inside].mean(dim=0), x[inside].var(dim=0)
    objective = Objective(
        batches,
        lambda head, batch: scale_loss(head(batch[0]), batch[1]),
        lambda head: float((mean_log2_mpp(head(x[outside])) - y[outside]).abs().nanmedian()),
    )
    settings = LoopSettings(EPOCHS, -(-len(inside) // BATCH), learning_rate=2e-3, patience=PATIENCE, seed=seed)
    train(model, objective, settings, LoopHooks(on_epoch=lambda state: on_epoch(state.epoch)))
    return model.export()
