"""Turns on the GPUs of a machine: while some blocks are computed, other workers read the next ones."""

import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from wsi_scale.execution.compute import Compute

#: Blocks that are on a GPU at a time: while one is copied or decided upon, the other computes.
BLOCKS_PER_GPU = 2


class Turns:
    """Hands out devices; who asks while none is free waits.

    Parameters
    ----------
    devices
        Names as torch writes them, one for each block that may be there at a time.
    """

    def __init__(self, devices: Iterable[str]) -> None:
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()
        for device in devices:
            self._free.put(device)

    @contextmanager
    def next(self) -> Iterator[str]:
        """Lend the device that has been free for longest."""
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)


@contextmanager
def turn(compute: Compute) -> Iterator[Compute]:
    """Wait for a turn on a GPU, with a stream of its own; on a CPU every worker has its turn at once.

    Yields
    ------
    Compute
        The same settings, with the GPU whose turn it is.
    """
    if compute.device != "cuda":
        yield compute
        return
    import torch

    with _gpus().next() as device, torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
        yield replace(compute, device=device)


@cache
def _gpus() -> Turns:
    import torch

    count = torch.cuda.device_count()
    # One after the other, so that all GPUs have a block before one has two.
    return Turns(f"cuda:{index}" for _ in range(BLOCKS_PER_GPU) for index in range(count))
