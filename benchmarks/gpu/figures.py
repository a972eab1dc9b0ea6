"""What the device does in a second: matrix products, convolutions, passes, resampling, reading, whole searches."""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

import wsi_scale as ws
from benchmarks.gpu.checks import rungs_of
from benchmarks.gpu.material import SCENE_PX, Bench, tiles_on
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import default_workers
from wsi_scale.networks.architectures import VGG19_PLAN, architecture
from wsi_scale.networks.chain import build_chain
from wsi_scale.networks.forward import place
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.networks.network import Network, assemble
from wsi_scale.networks.preprocessing import normalise
from wsi_scale.networks.resample import Cut, Resampler
from wsi_scale.slides.array import ArraySlide
from wsi_scale.transfer.cost import cost_of

#: Finest rungs, whose convolutions are compared with matrix products.
FINEST = 3
#: Tiles of a block along each side, where reading and resampling are measured alone.
BLOCK = 4
#: A search is measured on ever more tiles until it takes so many seconds.
SEARCH_S = 8.0

Figures = Iterator[tuple[str, float]]


def matrix_products(bench: Bench) -> Figures:
    """Multiply matrices in the dtype that the device chooses: TFLOP/s."""
    side = bench.sizes.matrix
    left, right = (
        torch.randn(side, side, device=bench.compute.torch_device).to(bench.compute.torch_dtype) for _ in range(2)
    )
    yield "matmul_tflops", 2 * side**3 / _seconds(bench, lambda: left @ right) / 1e12


def convolutions(bench: Bench) -> Figures:
    """Pass the finest rungs through VGG19, up to the layers of the search: TFLOP/s, and over matrix products."""
    matmul = dict(matrix_products(bench))["matmul_tflops"]
    network = place(_drawn_vgg19(), bench.compute)
    for size in rungs_of(network)[:FINEST]:
        rate = 2 * cost_of(network.trunk, size).multiply_adds * _passes(bench, network, size) / 1e12
        yield f"convolution_tflops_{size}px", rate
        yield f"convolution_over_matmul_{size}px", rate / matmul


def computing_embedded(bench: Bench) -> Figures:
    """Pass whole ladders through the embedded network, without reading: tiles/s."""
    yield "passes_embedded", _ladders(bench, "embedded")


def computing_vgg19(bench: Bench) -> Figures:
    """Pass whole ladders through VGG19, without reading: tiles/s."""
    yield "passes_vgg19", _ladders(bench, "vgg19")


def resampling_rate(bench: Bench) -> Figures:
    """Resample all rungs of a block of tiles from one region on the device: tiles/s."""
    side = BLOCK * SCENE_PX
    region = torch.from_numpy(np.resize(bench.tissue, (side, side, 3))).to(bench.compute.torch_device)
    resampler = Resampler(bench.compute.torch_device)
    corners = [(x * SCENE_PX, y * SCENE_PX) for x in range(BLOCK) for y in range(BLOCK)]
    cuts = [Cut((x, y, x + SCENE_PX, y + SCENE_PX), (0, 0, SCENE_PX, SCENE_PX)) for x, y in corners]

    def all_rungs() -> None:
        for size in rungs_of(find_network("embedded").tapped(["C1_1"])):
            resampler.resample(region, cuts, size)

    yield "resampling", len(cuts) / _seconds(bench, all_rungs)


def reading_rate(bench: Bench) -> Figures:
    """Read regions of a block of tiles from memory, by as many threads as a search has: tiles/s."""
    tissue = _slide(bench, bench.sizes.repeats)
    slide, side = ArraySlide(tissue), BLOCK * SCENE_PX
    places = [(x, y) for y in range(0, len(tissue) - side + 1, side) for x in range(0, len(tissue) - side + 1, side)]
    places = places or [(0, 0)]
    side = min(side, len(tissue))
    with ThreadPoolExecutor(default_workers(ExecutionConfig(), bench.compute)) as threads:
        start = time.perf_counter()
        list(threads.map(lambda place: slide.read(0, place[0], place[1], side, side), places))
        seconds = time.perf_counter() - start
    yield "reading_memory", len(places) * (side // SCENE_PX) ** 2 / seconds


def searching_embedded(bench: Bench) -> Figures:
    """Search with the embedded network, end to end."""
    yield from _search(bench, "embedded")


def searching_vgg19(bench: Bench) -> Figures:
    """Search with VGG19, end to end."""
    yield from _search(bench, "vgg19")


def _search(bench: Bench, network: str) -> Figures:
    """Tiles/s of a search, as a share of the slower of reading and computing alone; GiB on the device at most."""
    if bench.device == "cuda":
        torch.cuda.reset_peak_memory_stats(bench.compute.torch_device)
    found = seconds = 0.0
    repeats = 1
    while repeats <= bench.sizes.repeats and seconds < SEARCH_S:
        tissue = _slide(bench, repeats)
        tiles = tiles_on(tissue)
        start = time.perf_counter()
        ws.search_scale(tissue, tiles, network=network, device="cuda" if bench.device == "cuda" else "cpu")
        seconds = time.perf_counter() - start
        found = len(tiles) / seconds
        repeats *= 2
    yield f"search_{network}", found
    slower = min(_ladders(bench, network), dict(reading_rate(bench))["reading_memory"])
    yield f"search_{network}_over_slower_alone", found / slower
    if bench.device == "cuda":
        yield f"search_{network}_peak_gib", torch.cuda.max_memory_allocated(bench.compute.torch_device) / 2**30


def _slide(bench: Bench, repeats: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.tile(bench.tissue, (repeats, repeats, 1))


def _drawn_vgg19() -> Network:
    """VGG19 with arbitrary weights: how fast it is does not depend on them."""
    torch.manual_seed(0)
    state = {f"features.{name}": value for name, value in build_chain(VGG19_PLAN).state_dict().items()}
    known = architecture("vgg19")
    return assemble(known, state, known.search_layers, "arbitrary weights")


def _ladders(bench: Bench, name: str) -> float:
    """Pass all rungs through a network: tiles/s."""
    source = find_network(name)
    network = place(source.tapped(search_layers(source, "covariant", None)), bench.compute)
    return 1 / sum(1 / _passes(bench, network, size) for size in rungs_of(network))


def _passes(bench: Bench, network: Network, size: int) -> float:
    """Pass images of one size, already on the device, through a placed network: images/s."""
    count = max(1, int(bench.sizes.batch_mpx * 1e6 / size**2))
    images = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, device=bench.compute.torch_device)

    def one_pass() -> None:
        with torch.inference_mode():
            network(normalise(images).to(bench.compute.torch_dtype))

    return count / _seconds(bench, one_pass)


def _seconds(bench: Bench, work: Callable[[], object]) -> float:
    """Median time of some work, after warming up."""
    took = []
    for _ in range(1 + bench.sizes.rounds):
        bench.wait()
        start = time.perf_counter()
        work()
        bench.wait()
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:])
