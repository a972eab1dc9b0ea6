"""The way of a block's tiles through the rungs of a ladder, from the coarsest to finer ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from wsi_scale.execution.compute import Compute
from wsi_scale.execution.turns import Place
from wsi_scale.scale.adaptive import COARSEST_MPP, estimate_so_far, layers_needed
from wsi_scale.scale.calibration import Calibration

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network

Tiles = NDArray[np.int64]
#: Where passes are computed.
At = tuple[Compute, Place]


class Ladder(Protocol):
    """The rungs of a plan, and when they may be left."""

    @property
    def calibration(self) -> Calibration | None:
        """Of the channels that the network answers with."""

    @property
    def adaptive(self) -> bool:
        """Whether tiles leave before the finest rung."""

    @property
    def rungs(self) -> tuple[int | None, ...]:
        """Side of each rung's image; None where the slide holds no such detail."""

    @property
    def log2_mpp(self) -> tuple[float, ...]:
        """(rung,)."""


class Passes(Protocol):
    """Passes of a block's tiles through a network."""

    @property
    def problems(self) -> Sequence[str]:
        """One a tile: why it cannot be decoded, or ""; grows while tiles are read."""

    def read_ahead(self) -> None:
        """Read for a GPU, before its turn, all that the rungs need."""

    def readable(self, tiles: Tiles, size: int) -> Tiles:
        """Return those of the tiles that can be decoded at a rung, given by its side."""

    def respond(
        self, network: "Network", tiles: Tiles, depth: Tiles, size: int, at: At
    ) -> dict[str, NDArray[np.float32]]:
        """Pass tiles at a rung, each through ``depth`` layers: layer → (tile, channel); NaN for deeper layers."""


@dataclass(frozen=True)
class Climbed:
    """Responses of a block's tiles on the rungs that they reached.

    Attributes
    ----------
    responses
        Layer → (tile, channel, rung), float32; NaN where nothing was computed.
    left
        (tile,) whether a tile left before the finest rung.
    log2_finest
        (tile,) log2 mpp of the finest rung that it reached; NaN if none.
    """

    responses: Mapping[str, NDArray[np.float32]]
    left: NDArray[np.bool_]
    log2_finest: NDArray[np.float64]


def climb(ladder: Ladder, network: "Network", passes: Passes, at: At) -> Climbed:
    """Pass tiles through a network rung after rung, until they leave."""
    found = _nothing(ladder, network, len(passes.problems))
    readable = [rung for rung, size in enumerate(ladder.rungs) if size is not None]
    active = np.arange(len(passes.problems))
    depth = np.full(len(active), len(network.depths))
    for rung in reversed(readable):
        size = ladder.rungs[rung] or 0
        active = passes.readable(active, size)
        if not len(active):
            break
        for name, values in passes.respond(network, active, depth[active], size, at).items():
            found.responses[name][active, :, rung] = values
        found.log2_finest[active] = ladder.log2_mpp[rung]
        if rung != readable[0]:
            active = _stay(ladder, found, active, depth, rung)
    return found


def _nothing(ladder: Ladder, network: "Network", tiles: int) -> Climbed:
    shape = {layer.name: (tiles, layer.channels, len(ladder.rungs)) for layer in network.layers}
    responses = {name: np.full(extents, np.nan, np.float32) for name, extents in shape.items()}
    return Climbed(responses, np.zeros(tiles, np.bool_), np.full(tiles, np.nan))


def _stay(ladder: Ladder, climbed: Climbed, active: Tiles, depth: Tiles, rung: int) -> Tiles:
    """Let tiles and layers leave after a rung; return the tiles that go on."""
    if not ladder.adaptive or ladder.calibration is None or 2 ** ladder.log2_mpp[rung] > COARSEST_MPP * (1 + 1e-6):
        return active
    responses = {name: values[active] for name, values in climbed.responses.items()}
    log2_mpp = np.array(ladder.log2_mpp)
    settled = estimate_so_far(responses, log2_mpp, ladder.calibration).settled
    climbed.left[active[settled]] = True
    stay = active[~settled]
    going_on = {name: values[~settled] for name, values in responses.items()}
    depth[stay] = np.minimum(depth[stay], layers_needed(going_on, log2_mpp, ladder.calibration))
    return stay
