"""How much faster the embedded network is than VGG19 cut at C4_4."""

from dataclasses import replace
from typing import Any

import torch

from wsi_scale.learning.estimator import Estimator
from wsi_scale.networks.load import find_network
from wsi_scale.transfer.cost import cost_of, tiles_per_second

#: Side of the tiles that are timed.
TILE_PX = 224


def measure(estimator: Estimator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tiles per second of both, measured in turn in one run."""
    replace(estimator.compute, threads=2).use_threads()
    embedded = estimator.network
    vgg19 = find_network("vgg19").tapped(["C4_4"]).to(memory_format=torch.channels_last)
    fast, slow = tiles_per_second([embedded, vgg19], TILE_PX)
    costs = {"embedded": cost_of(embedded, TILE_PX), "vgg19_C4_4": cost_of(vgg19, TILE_PX)}
    return {"embedded_speedup": round(fast / slow, 1)}, {
        "tiles_per_second": {"embedded": round(fast, 1), "vgg19_C4_4": round(slow, 2)},
        "parameters": {name: cost.parameters for name, cost in costs.items()},
        "multiply_adds": {name: cost.multiply_adds for name, cost in costs.items()},
    }
