"""Passes of a block's tiles: each tile by itself, or all that overlap in one image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.turns import Place
from wsi_scale.slides.field import Field, resize_square
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.steps.climb import At, Tiles
from wsi_scale.steps.dense import DensePass, Lattice
from wsi_scale.steps.pixels import pixels_on, to_device

if TYPE_CHECKING:
    import torch

    from wsi_scale.networks.network import Network
    from wsi_scale.slides.slide import Slide
    from wsi_scale.steps.search_block import SearchBlock


class SeparatePasses:
    """Each tile is an image of its own."""

    def __init__(self, block: "SearchBlock", slide: "Slide") -> None:
        self._plan = plan = block.plan
        fields = [Field(x, y, plan.tile_width, plan.tile_height) for x, y in block.corners]
        self._on_gpu = plan.network.compute.device != "cpu"
        self._pixels = FieldBlock(slide, fields, keeps_levels=self._on_gpu)
        #: Of the published search, whose rungs are all made of the tile.
        self._tiles: dict[int, NDArray[np.uint8]] = {}

    @property
    def problems(self) -> Sequence[str]:
        """One a tile: why it cannot be decoded, or ""."""
        return self._pixels.problems

    def read_ahead(self) -> None:
        """Read for a GPU, before its turn, all that the rungs need; on a CPU rungs are read when they are needed."""
        for size in self._plan.sizes_read if self._on_gpu else ():
            self._pixels.hold(range(len(self.problems)), (size, size))

    def readable(self, tiles: Tiles, size: int) -> Tiles:
        """Return those of the tiles that can be decoded at a rung."""
        side = self._plan.tile_px if self._plan.method == "published" else size
        return np.array(self._pixels.hold(tiles.tolist(), (side, side)), np.int64)

    def respond(
        self, network: "Network", tiles: Tiles, depth: Tiles, size: int, at: At
    ) -> dict[str, NDArray[np.float32]]:
        """Pass tiles at a rung, those of one depth together."""
        from wsi_scale.networks.forward import block_responses

        found = _missing(network, len(tiles))
        for layers in np.unique(depth).tolist():
            mine = depth == layers
            images = self._images(tiles[mine].tolist(), size, at[1])
            answers = block_responses(network.depths[layers - 1], images, at[0], self._plan.block_tiles)
            for name, values in answers.items():
                found[name][mine] = values
        return found

    def _images(self, tiles: Sequence[int], size: int, place: Place) -> "torch.Tensor":
        if self._plan.method == "covariant":
            return pixels_on(self._pixels, place).images(tiles, size)
        side = self._plan.tile_px
        if missing := [tile for tile in tiles if tile not in self._tiles]:
            self._tiles |= zip(missing, self._pixels.read(missing, (side, side)), strict=True)
        return to_device(np.stack([resize_square(self._tiles[tile], size) for tile in tiles]), place.device)


class SharedPasses:
    """Tiles that overlap are windows of one image, in which the network sees the tissue around each of them.

    A block that cannot be decoded as a whole is passed tile by tile, each with its context.
    """

    def __init__(self, block: "SearchBlock", slide: "Slide") -> None:
        self._plan = plan = block.plan
        if plan.shared is None:
            raise ValueError("these tiles do not share a pass")
        places = np.array(block.places)
        self._lattice = Lattice.of(places, plan.shared.step, (plan.tile_width, plan.tile_height))
        #: Column and row of each tile in the block.
        self._places = places - self._lattice.first
        self._sharing, self._slide = plan.shared, slide
        self._whole = self._dense()
        self._single: dict[int, DensePass] = {}
        self.problems = [""] * len(block.places)
        """One a tile: why it cannot be decoded, or ""."""

    def read_ahead(self) -> None:
        """Read for a GPU, before its turn, all that the rungs need; on a CPU rungs are read when they are needed."""
        if self._plan.network.compute.device != "cpu":
            for size in self._plan.sizes_read:
                self._whole.hold(size)

    def readable(self, tiles: Tiles, size: int) -> Tiles:
        """Return those of the tiles that can be decoded at a rung."""
        if not self._single and not self._whole.hold(size):
            return tiles
        for tile in tiles.tolist():
            if tile not in self._single:
                self._single[tile] = self._dense(tile)
            self.problems[tile] = self.problems[tile] or self._single[tile].hold(size)
        return np.array([tile for tile in tiles.tolist() if not self.problems[tile]], np.int64)

    def respond(
        self, network: "Network", tiles: Tiles, depth: Tiles, size: int, at: At
    ) -> dict[str, NDArray[np.float32]]:
        """Pass the block at a rung, as deep as the tile that needs most."""
        cut = network.depths[int(depth.max()) - 1]
        found = _missing(network, len(tiles))
        for name, values in self._values(cut, tiles, size, at).items():
            number = [layer.name for layer in network.layers].index(name)
            found[name][depth > number] = values[depth > number]
        return found

    def _values(self, network: "Network", tiles: Tiles, size: int, at: At) -> dict[str, NDArray[np.float32]]:
        """Layer → (tile, channel)."""
        if self._single:
            each = [self._single[tile].responses(network, size, at) for tile in tiles.tolist()]
            return {name: np.concatenate([one[name][0] for one in each]) for name in each[0]}
        col, row = self._places[tiles].T
        return {name: values[row, col] for name, values in self._whole.responses(network, size, at).items()}

    def _dense(self, tile: int | None = None) -> DensePass:
        """Prepare the pass of the whole block, or of one of its tiles."""
        only = None if tile is None else self._places[tile].tolist()
        return DensePass(self._slide, self._lattice, self._plan.sizes_read, self._sharing, only)


def _missing(network: "Network", tiles: int) -> dict[str, NDArray[np.float32]]:
    return {layer.name: np.full((tiles, layer.channels), np.nan, np.float32) for layer in network.layers}
