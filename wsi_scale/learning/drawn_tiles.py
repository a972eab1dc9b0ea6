"""Tiles drawn from fields of known µm per pixel and passed through a network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.config.training import TrainingConfig
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.progress import progress
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.density import normalise_density
from wsi_scale.magnification.sampling import SourceField, Span, draw_batch
from wsi_scale.networks.forward import pooled_responses
from wsi_scale.networks.network import Network


@dataclass(frozen=True)
class TileDraw:
    """How tiles are drawn.

    Attributes
    ----------
    span
        µm per pixel that they are drawn from.
    tiles, batch
        Tiles in all (the last batch is whole), and in one pass through the network.
    tile_px
        Side of a tile.
    seed
        Of all that is drawn.
    label
        What the progress bar says.
    """

    span: Span
    tiles: int
    batch: int
    tile_px: int
    seed: tuple[int, ...]
    label: str


@dataclass(frozen=True)
class DrawnTiles:
    """Tiles with their responses.

    Attributes
    ----------
    tiles
        (tile, row, col, rgb), brought to one density.
    log2_mpp, cases
        (tile,) truth, and what a split keeps together.
    responses
        Layer → (tile, channel) spatial means.
    """

    tiles: NDArray[np.uint8]
    log2_mpp: NDArray[np.float32]
    cases: NDArray[np.str_]
    responses: dict[str, NDArray[np.float32]]


def training_span(config: TrainingConfig) -> Span:
    """Span that a training draws from."""
    return Span(config.mpp_range, config.wider_mpp_range, config.wider_share)


def draw_responses(fields: Sequence[SourceField], draw: TileDraw, network: Network, compute: Compute) -> DrawnTiles:
    """Draw augmented tiles, bring them to one density, and pass them through a placed network."""
    rng = np.random.default_rng(draw.seed)
    tiles, truth, responses = [], [], []
    cases: list[str] = []
    with progress(draw.label, draw.tiles) as advance:
        for _ in range(-(-draw.tiles // draw.batch)):
            drawn, log2_mpp, groups = draw_batch(fields, draw.span, draw.tile_px, draw.batch, rng, Augmentation())
            tiles.append(normalise_density(drawn))
            truth.append(log2_mpp)
            cases += groups
            responses.append(pooled_responses(network, tiles[-1], compute))
            advance(draw.batch)
    joined = {layer.name: np.concatenate([part[layer.name] for part in responses]) for layer in network.layers}
    return DrawnTiles(np.concatenate(tiles), np.concatenate(truth), np.array(cases), joined)
