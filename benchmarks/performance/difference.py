"""What the adaptive ladder changes: its optimal mpp against that of all rungs, on cases it was not chosen on."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.performance.material import Bench, FieldImage, settings
from benchmarks.performance.passes import searched_network
from benchmarks.performance.searching import Figures
from wsi_scale.execution.compute import Compute, default_workers, resolve, work_sizes
from wsi_scale.networks.forward import block_responses
from wsi_scale.networks.network import Network
from wsi_scale.scale.adaptive import estimate_so_far, layers_needed, search_adaptive
from wsi_scale.scale.calibration import Calibration
from wsi_scale.scale.covariant import search_covariant
from wsi_scale.transfer.cost import cost_of

Responses = dict[str, NDArray[np.float32]]


def difference(bench: Bench) -> Figures:
    """Compute all rungs of fields once, hide those that the adaptive ladder leaves out, and compare the answers."""
    figures = {network: _compared(bench, network) for network in bench.networks}
    return {"difference": figures}, {}


def _compared(bench: Bench, name: str) -> dict[str, float]:
    config = settings(name)
    compute = resolve(config.execution)
    network, calibration, sizes = searched_network(config, compute)
    block, fields = work_sizes(config.execution, compute.device).block_tiles, list(bench.fields())
    with ThreadPoolExecutor(default_workers(config.execution, compute)) as threads:
        parts = [fields[start : start + block] for start in range(0, len(fields), block)]
        blocks = list(threads.map(lambda part: all_responses(network, part, sizes, compute, block), parts))
    responses = {layer: np.concatenate([part[layer] for part in blocks]) for layer in blocks[0]}
    log2_mpp = np.log2(config.tiling.field_um / np.array(sizes))
    full = search_covariant(responses, log2_mpp, calibration).optimal_mpp
    hidden = hide_rungs(responses, log2_mpp, calibration)
    adaptive = search_adaptive(hidden.responses, log2_mpp, calibration, hidden.left).optimal_mpp
    octaves = np.abs(np.log2(adaptive / full))
    octaves = octaves[np.isfinite(octaves)]
    pixels = np.array(sizes, np.float64) ** 2
    # Multiply-adds of a pixel, by the number of layers that are computed.
    costs = np.array([0.0, *(cost_of(part.trunk, sizes[0]).multiply_adds for part in network.depths)])
    return {
        "p99": float(np.percentile(octaves, 99)),
        "max": float(octaves.max()),
        "median": float(np.median(octaves)),
        "fields": len(full),
        "answered": float(np.isfinite(adaptive).mean()),
        "answered_full": float(np.isfinite(full).mean()),
        "pixels": float(((hidden.layers > 0) * pixels).sum() / (len(full) * pixels.sum())),
        "operations": float((costs[hidden.layers] * pixels).sum() / (len(full) * pixels.sum() * costs[-1])),
    }


def all_responses(
    network: Network, fields: Sequence[FieldImage], sizes: Sequence[int], compute: Compute, block: int
) -> Responses:
    """Pass fields, of a block of the search at most, on all rungs: layer → (field, channel, rung)."""
    rungs = []
    for size in sizes:
        images = np.stack([field.resized(size) for field in fields])
        rungs.append(block_responses(network, torch.from_numpy(images), compute, block))
    return {layer: np.stack([rung[layer] for rung in rungs], axis=-1) for layer in rungs[0]}


@dataclass(frozen=True)
class Hidden:
    """Responses as the adaptive ladder would have computed them.

    Attributes
    ----------
    responses
        Layer → (field, channel, rung); NaN where nothing would have been computed.
    left
        (field,) whether it left before the finest rung.
    layers
        (field, rung) how many layers are computed, from the shallowest.
    """

    responses: Responses
    left: NDArray[np.bool_]
    layers: NDArray[np.int64]


def hide_rungs(
    responses: Mapping[str, NDArray[np.float32]], log2_mpp: NDArray[np.float64], calibration: Calibration
) -> Hidden:
    """Go from the coarsest rung to finer ones until a field's answer is settled, by the package's own rule."""
    count, names = len(next(iter(responses.values()))), list(calibration.layers)
    so_far = {layer: np.full_like(values, np.nan) for layer, values in responses.items()}
    left, layers = np.zeros(count, np.bool_), np.zeros((count, len(log2_mpp)), np.int64)
    depth = np.full(count, len(names))
    for rung in reversed(range(len(log2_mpp))):
        active = np.flatnonzero(~left)
        if not len(active):
            break
        layers[active, rung] = depth[active]
        for number, layer in enumerate(names):
            rows = active[depth[active] > number]
            so_far[layer][rows, :, rung] = responses[layer][rows, :, rung]
        if rung:
            seen = {layer: so_far[layer][active] for layer in names}
            left[active] = estimate_so_far(seen, log2_mpp, calibration).settled
            depth[active] = np.minimum(depth[active], layers_needed(seen, log2_mpp, calibration))
    return Hidden(so_far, left, layers)
