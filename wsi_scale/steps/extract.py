"""Tiles and their optimal mpp → features of a layer at several mpps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.config.settings import ExtractSettings
from wsi_scale.execution.compute import work_sizes
from wsi_scale.execution.settled import parameters_of
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid, TileTable
from wsi_scale.steps.blocks import BlockRun
from wsi_scale.steps.extract_block import BlockFeatures, ExtractBlock, ExtractPlan, extract_block, is_too_fine
from wsi_scale.steps.inputs import NetworkInput, SlideSource
from wsi_scale.steps.order import neighbouring
from wsi_scale.steps.unreadable import UnreadableTiles

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


def extract_network(settings: ExtractSettings) -> "Network":
    """Load the configured network, cut after the layer that features are taken from.

    Raises
    ------
    WeightsError, ConfigError
        The network, its weights or the layer cannot be found.
    """
    # torch is loaded where it is needed: a slide that failed before costs nothing here.
    from wsi_scale.networks.load import find_network

    source = find_network(settings.network, settings.weights)
    return source.tapped([settings.features.layer or source.architecture.feature_layer])


@dataclass(frozen=True)
class Extraction:
    """The extraction of a slide's features, block by block.

    Attributes
    ----------
    plan
        What all blocks share.
    table
        The tiles.
    optimal_mpp
        (tile,) NaN where a tile has none.
    unreadable
        (tile,) whether the search could not read the tile.
    """

    plan: ExtractPlan
    table: TileTable
    optimal_mpp: NDArray[np.float64]
    unreadable: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        slide: SlideSource,
        table: TileTable,
        network: "Network",
        settings: ExtractSettings,
        scale_map: ScaleMap | None,
    ) -> "Extraction":
        """Plan the extraction.

        Parameters
        ----------
        network
            As :func:`extract_network` loads it.
        scale_map
            Of these tiles; None extracts at the fixed mpps only.

        Raises
        ------
        ConfigError
            This machine cannot compute as is configured.
        """
        grid, channels = table.grid, network.layers[0].channels
        inputs = NetworkInput.of(network, settings)
        block_tiles = work_sizes(settings.execution, inputs.compute.device).block_tiles
        plan = ExtractPlan(
            slide, inputs, channels, block_tiles, grid.tile_px, settings.features.mpps, grid.mpp_x, grid.mpp_y
        )
        if scale_map is None:
            return cls(plan, table, np.full(len(table), np.nan), np.zeros(len(table), np.bool_))
        optimal = scale_map.channel("optimal_mpp")[table.row, table.col].astype(np.float64)
        return cls(plan, table, optimal, scale_map.reason[table.row, table.col] == Reason.UNREADABLE)

    @property
    def too_fine(self) -> tuple[float, ...]:
        """Requested µm per pixel that are too fine for the slide: their features are NaN."""
        return tuple(mpp for mpp in self.plan.mpps if is_too_fine(mpp, self.plan))

    def answers(self, settings: ExtractSettings, run: BlockRun) -> Iterator[tuple[NDArray[np.int64], BlockFeatures]]:
        """Yield the features of block after block, with the numbers of their tiles.

        Raises
        ------
        RegionError
            More tiles cannot be decoded than the settings allow.
        """
        unreadable = UnreadableTiles(self.plan.slide.path, self.table, settings.unreadable_share)
        numbers = neighbouring(self.table.row, self.table.col, self.plan.block_tiles)
        for tiles, answer in zip(
            numbers, run.answers(extract_block, [self._block(tiles) for tiles in numbers]), strict=True
        ):
            unreadable.add(tiles, answer.problems)
            yield tiles, answer

    def _block(self, tiles: NDArray[np.int64]) -> ExtractBlock:
        plan, table = self.plan, self.table
        half_x, half_y = (plan.tile_px * table.grid.mpp / mpp / 2 for mpp in (plan.mpp_x, plan.mpp_y))
        centres = tuple((float(table.x[tile]) + half_x, float(table.y[tile]) + half_y) for tile in tiles)
        return ExtractBlock(
            plan, centres, tuple(self.optimal_mpp[tiles].tolist()), tuple(self.unreadable[tiles].tolist())
        )


def feature_attributes(grid: TileGrid, network: "Network", settings: ExtractSettings) -> dict[str, Any]:
    """Describe features: network, layer, tiles and how they were computed."""
    return {
        "network": network.name,
        "network_digest": network.digest,
        "layer": network.layers[0].name,
        "tile_px": grid.tile_px,
        "mpp_source": grid.mpp_source,
        "execution": parameters_of(settings.execution),
    }
