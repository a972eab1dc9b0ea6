"""One threshold for all layers, for a given number of parameters."""

from collections.abc import Callable, Mapping

import torch

#: Channels, or basis vectors, that no layer falls below.
LEAST = 8

#: Layer → which of its channels or vectors stay, (n,) bool.
Kept = Mapping[str, torch.Tensor]


def keep_best(
    scores: Kept, parameters: Callable[[Kept], int], most: int, least_score: float = 0.0
) -> tuple[dict[str, torch.Tensor], float]:
    """Keep what scores highest: the smallest threshold that leaves few enough parameters.

    Parameters
    ----------
    scores
        Layer → (n,) ≥ 0, comparable between layers.
    parameters
        How many are left when only some stay.
    most
        Parameters that may stay. If that is impossible, :data:`LEAST` stay in every layer.
    least_score
        Channels or vectors with a lower score are always removed.

    Returns
    -------
    kept, threshold
        The lowest score that is kept; inf if only :data:`LEAST` are left everywhere.
    """
    steps = [least_score, *(s for s in torch.unique(torch.cat(list(scores.values()))).tolist() if s > least_score)]
    low, high = 0, len(steps)
    while low < high:
        middle = (low + high) // 2
        if parameters(_above(scores, steps[middle])) <= most:
            high = middle
        else:
            low = middle + 1
    threshold = steps[low] if low < len(steps) else float("inf")
    return _above(scores, threshold), threshold


def _above(scores: Kept, threshold: float) -> dict[str, torch.Tensor]:
    kept = {}
    for layer, values in scores.items():
        kept[layer] = values >= threshold
        if int(kept[layer].sum()) < LEAST:
            best = torch.topk(values, min(LEAST, len(values))).indices
            kept[layer] = torch.zeros_like(kept[layer])
            kept[layer][best] = True
    return kept
