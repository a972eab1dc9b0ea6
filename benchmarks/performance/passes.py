"""Arithmetic of the network's passes against the machine's own rate of matrix products."""

from dataclasses import replace

import torch

from benchmarks.performance.material import Bench, settings
from benchmarks.performance.searching import Figures
from benchmarks.performance.timing import Work, seconds_in_turn
from wsi_scale.config.models import Config
from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.learning.calibrations import ladder_of, provide_calibration, read_for
from wsi_scale.networks.forward import place, respond
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.networks.network import Network
from wsi_scale.scale.calibration import Calibration
from wsi_scale.transfer.cost import cost_of

#: Rungs, the finest ones, whose passes are measured.
FINEST = 2
#: Batches that are passed in one measurement.
BATCHES = 4


def searched_network(config: Config, compute: Compute) -> tuple[Network, Calibration, tuple[int, ...]]:
    """Place a network as the search does: with its calibrated channels alone, and the sides of its rungs' images."""
    source = find_network(config.network)
    network = source.tapped(search_layers(source, "covariant", None))
    calibration, _ = read_for(provide_calibration(CalibrateSettings.of(config)), network)
    sizes = ladder_of(config.tiling.field_um, network, config.search).sizes_px
    return place(network, compute).restricted(calibration.channels), calibration.narrowed(), sizes


def matmul_fraction(bench: Bench) -> Figures:
    """Operations of ``respond`` a second at the finest rungs over those of a matrix product, on one thread."""
    measured = {network: _rates(bench, network) for network in bench.networks}
    return {"matmul_fraction": {network: rates["fraction"] for network, rates in measured.items()}}, measured


def _rates(bench: Bench, name: str) -> dict[str, float]:
    """Rates in GFLOP/s."""
    config = settings(name)
    compute = replace(resolve(config.execution), threads=1)
    network, _, sizes = searched_network(config, compute)
    side = bench.sizes.matrix
    left, right = (torch.randn(side, side).to(compute.torch_dtype) for _ in range(2))

    def product() -> None:
        left @ right

    works: dict[str, Work] = {"matmul": product}
    operations = {"matmul": 2 * side**3}
    for size in sizes[:FINEST]:
        batch = compute.batch_size(size)
        images = torch.randint(0, 256, (batch * BATCHES, size, size, 3), dtype=torch.uint8)
        works[f"{size}px"] = _passes(network, images, compute, batch)
        operations[f"{size}px"] = 2 * cost_of(network.trunk, size).multiply_adds * batch * BATCHES
    compute.use_threads()
    seconds_in_turn(works, 1)
    seconds = seconds_in_turn(works, bench.sizes.short_rounds)
    rates = {f"gflops_{work}": operations[work] / took / 1e9 for work, took in seconds.items()}
    finest = [f"{size}px" for size in sizes[:FINEST]]
    rate = sum(operations[work] for work in finest) / sum(seconds[work] for work in finest) / 1e9
    return rates | {"fraction": rate / rates["gflops_matmul"]}


def _passes(network: Network, images: torch.Tensor, compute: Compute, batch: int) -> Work:
    def work() -> None:
        respond(network, images, compute, batch)

    return work
