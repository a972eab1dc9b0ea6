"""Turns on the GPUs of a machine: while some blocks are computed, other workers read the next ones."""

import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from wsi_scale.execution.compute import Compute

if TYPE_CHECKING:
    import torch

#: Blocks that are on a GPU at a time: while one is copied or decided upon, the other computes.
BLOCKS_PER_GPU = 2


@dataclass(frozen=True)
class Place:
    """A place on a GPU, with a stream of its own; one block is there at a time.

    Attributes
    ----------
    device
        As torch writes it.
    number
        Of the places on the device.
    """

    device: str
    number: int


class Turns:
    """Hands out places; who asks while none is free waits.

    Parameters
    ----------
    places
        In the order in which they are handed out first.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._free: queue.SimpleQueue[Place] = queue.SimpleQueue()
        for place in places:
            self._free.put(place)

    @contextmanager
    def next(self) -> Iterator[Place]:
        """Lend the place that has been free for longest."""
        place = self._free.get()
        try:
            yield place
        finally:
            self._free.put(place)


@contextmanager
def turn(compute: Compute) -> Iterator[tuple[Compute, Place]]:
    """Wait for a turn on a GPU, on the stream of its place; on a CPU every worker has its turn at once.

    Yields
    ------
    compute, place
        The same settings with the GPU whose turn it is, and the place there.
    """
    if compute.device != "cuda":
        yield compute, Place(compute.device, 0)
        return
    import torch

    with _gpus().next() as place, torch.cuda.stream(_stream(place)):
        yield replace(compute, device=place.device), place


@cache
def _gpus() -> Turns:
    import torch

    count = torch.cuda.device_count()
    # One after the other, so that all GPUs have a block before one has two.
    return Turns(Place(f"cuda:{gpu}", number) for number in range(BLOCKS_PER_GPU) for gpu in range(count))


@cache
def _stream(place: Place) -> "torch.cuda.Stream":
    import torch

    return torch.cuda.Stream(place.device)  # type: ignore[no-untyped-call]
