"""The search as published, as its authors run it, against ours of the same 21 sizes.

Their demo (Penkin et al. 2022) passes a tile through all of VGG19, forward and backward from the class of the largest
output, in float32 on the CPU, once for each of the five blocks and each size. It is timed at some of the sizes and
scaled by operations. Weights are arbitrary: how long it takes does not depend on them.
"""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import vgg19

from benchmarks.performance.material import TILE_PX, Bench, settings
from benchmarks.performance.searching import Figures, search_seconds
from benchmarks.performance.timing import Work, seconds_in_turn
from wsi_scale.config.models import Config
from wsi_scale.execution.compute import resolve
from wsi_scale.execution.machine import usable_cores
from wsi_scale.scale.published import published_sizes
from wsi_scale.synthesis import write_pyramid
from wsi_scale.transfer.cost import cost_of

#: Passes of the demo at each size: one a block.
BLOCKS = 5


def search_vs_published(bench: Bench) -> Figures:
    """Seconds a tile of the demo over ours, with ours in the best dtype and in float32."""
    torch.manual_seed(0)
    network = vgg19(weights=None).eval()
    slide, tiles = _slide(bench), bench.sizes.published_tiles
    weights = bench.folder / "arbitrary-vgg19.safetensors"
    save_file({name: value.half() for name, value in network.features.state_dict(prefix="features.").items()}, weights)
    works: dict[str, Work] = {
        "demo": lambda: _demo(bench, network),
        "best": lambda: search_seconds(bench, slide, _config(bench, weights, "auto")),
        # Twice, so that a change of the machine's speed is seen by all.
        "demo_again": lambda: _demo(bench, network),
        "float32": lambda: search_seconds(bench, slide, _config(bench, weights, "float32")),
    }
    took = seconds_in_turn(works, 1)
    part = (took["demo"] + took["demo_again"]) / 2
    share = sum(map(operations, bench.sizes.published_sizes)) / sum(map(operations, published_sizes(_tile_px(bench))))
    demo = part / share
    measured = {
        "demo_part": part, "sizes": list(bench.sizes.published_sizes), "share_of_operations": share,
        "demo": demo, "ours_best": took["best"] / tiles, "ours_float32": took["float32"] / tiles, "tiles": tiles,
    }  # fmt: skip
    figures = {dtype: demo / (took[dtype] / tiles) for dtype in ("best", "float32")}
    return {"search_vs_published": figures}, measured


def _slide(bench: Bench) -> Path:
    """Make a slide of a few tiles."""
    path = bench.folder / "published.tiff"
    tiles = bench.sizes.published_tiles
    crop = bench.crops[0][: TILE_PX * max(1, tiles // 2), : TILE_PX * min(2, tiles)]
    write_pyramid(path, crop, 0.25)
    return path


def _tile_px(bench: Bench) -> int:
    """Side of a tile, of which the 21 sizes are 1/3 to 4 times: smaller in a trial, where ours is another network."""
    return 96 if bench.quick else 224


def _config(bench: Bench, weights: Path, dtype: str) -> Config:
    tile_px = _tile_px(bench)
    network = {"network": "embedded"} if bench.quick else {"network": "vgg19", "weights": weights}
    return settings(
        **network,
        tiling={"min_tissue": 0, "tile_px": tile_px, "mpp": 112 / tile_px},
        search={"method": "published"},
        # So few tiles are one block by default, and one thread would compute it.
        execution={"dtype": dtype, "block_tiles": max(1, bench.sizes.published_tiles // 2)},
    )


def _demo(bench: Bench, network: nn.Module) -> None:
    """Pass one image at some of the sizes as the demo does; gradients of the parameters are computed too."""
    replace(resolve(settings("embedded").execution), threads=usable_cores()).use_threads()
    for size in bench.sizes.published_sizes:
        image = torch.rand(1, 3, size, size)
        for _ in range(BLOCKS):
            network.zero_grad()
            output = network(image)
            output[0, output.argmax()].backward()


def operations(size: int) -> int:
    """Multiply-adds of whole VGG19 on one image; nothing is computed for it."""
    with torch.device("meta"):
        return cost_of(vgg19(weights=None), size).multiply_adds
