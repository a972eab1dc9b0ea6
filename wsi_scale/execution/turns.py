"""Turns on GPUs: while some blocks are computed, other workers read the next ones."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from wsi_scale.execution.compute import Compute
from wsi_scale.execution.gpus import every_gpu, own_gpu

if TYPE_CHECKING:
    import torch

#: Blocks that are on a GPU at a time: while one is copied or decided upon, the other computes.
BLOCKS_PER_GPU = 2

_lock = threading.Lock()


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

    with _turns(compute.every_gpu).next() as place, torch.cuda.stream(_stream(place)):
        yield replace(compute, device=place.device), place


def _turns(on_every_gpu: bool) -> Turns:
    """Make the turns of this process once, for all of its workers."""
    with _lock:
        return _made(on_every_gpu)


@cache
def _made(on_every_gpu: bool) -> Turns:
    gpus = every_gpu() if on_every_gpu else (own_gpu(),)
    # One after the other, so that all GPUs have a block before one has two.
    return Turns(Place(gpu, number) for number in range(BLOCKS_PER_GPU) for gpu in gpus)


@cache
def _stream(place: Place) -> "torch.cuda.Stream":
    import torch

    return torch.cuda.Stream(place.device)  # type: ignore[no-untyped-call]
