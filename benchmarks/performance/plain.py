"""What one would write first: tile by tile, all rungs, one image at a time, torch on all cores."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import openslide
import torch
from PIL import Image

from benchmarks.performance.material import TILE_PX, Bench, settings
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.machine import usable_cores
from wsi_scale.learning.calibrations import ladder_of
from wsi_scale.networks.load import find_network, search_layers
from wsi_scale.networks.preprocessing import MEAN, STD

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


class PlainLoop:
    """OpenSlide, Pillow and torch in a loop over the first tiles of a slide, with the layers of the search.

    Attributes
    ----------
    tiles
        How many of them.
    """

    def __init__(self, bench: Bench, network: str, slide: Path) -> None:
        config = settings(network)
        self.tiles = bench.sizes.plain_tiles[network]
        self._slide = slide
        self._compute = replace(resolve(config.execution), threads=usable_cores())
        source = find_network(network)
        layers = search_layers(source, "covariant", None)
        self._networks = {
            dtype: source.tapped(layers).to(replace(self._compute, dtype=dtype).torch_dtype)
            for dtype in {"float32", self._compute.dtype}
        }
        self._sizes = ladder_of(config.tiling.field_um, self._networks["float32"], config.search).sizes_px
        for dtype in self._networks:  # so that nothing is made for the first time in what is timed
            self._seconds(replace(self._compute, dtype=dtype), 1)

    def in_float32(self) -> float:
        """Seconds of all tiles in float32."""
        return self._seconds(replace(self._compute, dtype="float32"), self.tiles)

    def in_best_dtype(self) -> float:
        """Seconds of all tiles in the dtype that this CPU computes natively, of the shorter ones."""
        return self._seconds(self._compute, self.tiles)

    def _seconds(self, compute: Compute, tiles: int) -> float:
        network = self._networks[compute.dtype]
        compute.use_threads()
        start = time.perf_counter()
        with openslide.OpenSlide(self._slide) as slide, torch.inference_mode():
            columns = slide.dimensions[0] // TILE_PX
            for number in range(tiles):
                row, column = divmod(number, columns)
                tile = slide.read_region((column * TILE_PX, row * TILE_PX), 0, (TILE_PX, TILE_PX)).convert("RGB")
                for size in self._sizes:
                    self._pass(network, tile.resize((size, size), Image.Resampling.BILINEAR), compute)
        return time.perf_counter() - start

    def _pass(self, network: "Network", image: Image.Image, compute: Compute) -> None:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        normalised = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        network(normalised[None].to(compute.torch_dtype))
