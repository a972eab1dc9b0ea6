"""What the adaptive ladder changes, and what a short dtype does, on cases that the ladder was not chosen on."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.performance.material import Bench, FieldImage, settings
from benchmarks.performance.passes import searched_network
from benchmarks.performance.record import LeftOutError
from benchmarks.performance.searching import Figures
from wsi_scale.config.models import Config
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


def dtype_difference(bench: Bench) -> Figures:
    """Compute all rungs of fields in float32 and in the dtype that is chosen here; compare curves and answers.

    ``curve`` is the 99th percentile, over fields and rungs, of the difference of a layer's curve in shares of its
    highest value; ``p99`` and ``median`` are octaves of the optimal mpp.
    """
    dtype = resolve(settings("embedded").execution).dtype
    if dtype == "float32":
        raise LeftOutError("this CPU computes in float32")
    fields = list(bench.fields())[: bench.sizes.dtype_fields]
    figures = {network: _dtypes_compared(network, fields) for network in bench.networks}
    return {"dtype_difference": figures}, {"dtype": dtype, "fields": len(fields)}


def _dtypes_compared(name: str, fields: Sequence[FieldImage]) -> dict[str, Any]:
    config = settings(name)
    calibration = searched_network(config, resolve(config.execution))[1]
    optimal, curves = {}, {}
    for dtype in ("auto", "float32"):
        log2_mpp, responses = _responses(settings(name, execution={"dtype": dtype}), fields)
        answer = search_covariant(responses, log2_mpp, calibration)
        optimal[dtype], curves[dtype] = answer.optimal_mpp, answer.curves
    octaves = np.abs(np.log2(optimal["auto"] / optimal["float32"]))
    deviation = {
        layer: np.abs(curves["auto"][layer] - curve) / np.nanmax(curve, axis=1, keepdims=True)
        for layer, curve in curves["float32"].items()
    }
    return {
        "curve": {layer: float(np.nanpercentile(values, 99)) for layer, values in deviation.items()},
        "p99": float(np.nanpercentile(octaves, 99)),
        "median": float(np.nanmedian(octaves)),
    }


def _compared(bench: Bench, name: str) -> dict[str, float]:
    config = settings(name)
    network, calibration, sizes = searched_network(config, resolve(config.execution))
    log2_mpp, responses = _responses(config, list(bench.fields()))
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


def _responses(config: Config, fields: Sequence[FieldImage]) -> tuple[NDArray[np.float64], Responses]:
    """Pass fields on all rungs, finest first: log2 mpp of the rungs, and layer → (field, channel, rung)."""
    compute = resolve(config.execution)
    network, _, sizes = searched_network(config, compute)
    block = work_sizes(config.execution, compute.device).block_tiles
    with ThreadPoolExecutor(default_workers(config.execution, compute)) as threads:
        parts = [fields[start : start + block] for start in range(0, len(fields), block)]
        blocks = list(threads.map(lambda part: all_responses(network, part, sizes, compute, block), parts))
    responses = {layer: np.concatenate([part[layer] for part in blocks]) for layer in blocks[0]}
    return np.log2(config.tiling.field_um / np.array(sizes)), responses


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
