"""Inputs of blocks, identified by content: made once in a worker, with an error if the worker has other files."""

import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from wsi_scale.config.settings import ExtractSettings, SearchSettings
from wsi_scale.errors import SlideError, WeightsError
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.settled import compute_of
from wsi_scale.execution.worker import kept
from wsi_scale.slides.identity import slide_identity
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Reader, Slide

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


class SlideSource(Protocol):
    """A slide that blocks can open wherever they are computed."""

    @property
    def path(self) -> Path:
        """Path of the slide, for messages."""

    def opened(self) -> AbstractContextManager[Slide]:
        """Open it, or lend what is open."""


@dataclass(frozen=True)
class OpenedSlide:
    """A slide that stays open, or that lies in memory; only for blocks of this process."""

    slide: Slide

    @property
    def path(self) -> Path:
        """Path of the slide."""
        return self.slide.path

    def opened(self) -> AbstractContextManager[Slide]:
        """Lend it; it is not closed."""
        return nullcontext(self.slide)


@dataclass(frozen=True)
class SlideInput:
    """A slide by its path, and its content as the run knows it.

    Attributes
    ----------
    path
        As messages name it.
    read_from
        A copy of it; None reads the path itself.
    """

    path: Path
    identity: str
    reader: Reader = "openslide"
    read_from: Path | None = None

    @classmethod
    def of(cls, path: Path) -> Self:
        """Describe the slide at a path."""
        return cls(path.absolute(), slide_identity(path))

    def opened(self) -> AbstractContextManager[Slide]:
        """Open it once in this process; SlideError where another slide lies there."""
        return kept("slide", (self._place, self.path, self.identity, self.reader), self._open)

    @property
    def _place(self) -> Path:
        return self.read_from or self.path

    def _open(self) -> Slide:
        with ExitStack() as stack:
            slide = stack.enter_context(open_slide(self._place, self.reader))
            # Asked of the file once it is open: what replaces it afterwards is not what is read.
            if slide_identity(self._place) != self.identity:
                raise SlideError(f"{self.path}: {_another('slide')}")
            slide.path = self.path
            stack.pop_all()
            return slide


@dataclass(frozen=True)
class NetworkInput:
    """A network by name or file, cut and placed, and the digest of its values as the run knows it.

    Attributes
    ----------
    layers
        Its tapped layers.
    channels
        (layer, numbers) of the channels that are answered; empty for all of all layers.
    """

    network: str
    weights: Path | None
    layers: tuple[str, ...]
    channels: tuple[tuple[str, tuple[int, ...]], ...]
    compute: Compute
    digest: str

    @classmethod
    def of(
        cls,
        network: "Network",
        settings: SearchSettings | ExtractSettings,
        channels: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Self:
        """Describe the configured network as this process found it, and where it is to be computed.

        Parameters
        ----------
        channels
            Layer → numbers of the channels that are answered; by default all of all layers.

        Raises
        ------
        ConfigError
            This machine cannot compute as is configured.
        """
        layers = tuple(layer.name for layer in network.layers)
        chosen = tuple((channels or {}).items())
        return cls(settings.network, settings.weights, layers, chosen, compute_of(settings.execution), network.digest)

    def placed(self, compute: Compute) -> AbstractContextManager["Network"]:
        """Load it once in this process; WeightsError where other weights are found.

        Parameters
        ----------
        compute
            Where it is placed: the settings of the run, with the GPU whose turn it is.
        """
        key = (self.digest, self.layers, self.channels, compute)
        return kept("network", key, lambda: self._load(compute), device=compute.device)

    def _load(self, compute: Compute) -> "Network":
        from wsi_scale.networks.forward import place
        from wsi_scale.networks.load import find_network

        source = find_network(self.network, self.weights)
        network = source.tapped(self.layers)
        if network.digest != self.digest:
            raise WeightsError(f"weights of {self.network} from {source.source}: {_another('weights')}")
        placed = place(network, compute)
        return placed.restricted(dict(self.channels)) if self.channels else placed


def _another(what: str) -> str:
    return (
        f"the worker on {socket.gethostname()} has another {what} than the run started with; "
        "run again once every worker has the same file there"
    )
