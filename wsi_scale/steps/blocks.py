"""Blocks of tiles on workers, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TypeVar

from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.execution.compute import default_workers
from wsi_scale.execution.progress import progress
from wsi_scale.execution.settled import compute_of
from wsi_scale.execution.worker import clear

Block = TypeVar("Block", bound=Sized)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class BlockRun:
    """How the blocks of a slide are computed.

    Attributes
    ----------
    label
        Of the progress bar.
    execution
        Device, dtype and workers, settled.
    scheduler
        Address of a ``dask.distributed`` scheduler; None computes on threads of this process.
    """

    label: str
    execution: ExecutionConfig
    scheduler: str | None = None

    def answers(self, function: Callable[[Block], Answer], blocks: Sequence[Block]) -> Iterator[Answer]:
        """Yield the answers in the order of the blocks; the length of a block is its number of tiles."""
        workers = default_workers(self.execution, compute_of(self.execution))
        try:
            with progress(self.label, sum(map(len, blocks))) as advance:
                yield from map_blocks(
                    function, blocks, workers=workers, scheduler=self.scheduler,
                    on_done=lambda index: advance(len(blocks[index])),
                )  # fmt: skip
        finally:
            clear()
