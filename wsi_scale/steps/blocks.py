"""Blocks of tiles on workers, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.execution.compute import default_workers
from wsi_scale.execution.progress import progress
from wsi_scale.execution.settled import compute_of
from wsi_scale.execution.worker import clear

Block = TypeVar("Block", bound=Sized)
Answer = TypeVar("Answer")


class Finished(Protocol):
    """Keeps the answers of the first blocks, in order, for a run that goes on after one that was killed."""

    def read(self) -> Iterator[Any]:
        """Yield the answers of earlier runs."""

    def add(self, answer: Any) -> None:
        """Keep the answer of the next block."""


@dataclass(frozen=True)
class BlockRun:
    """How the blocks of a slide are computed.

    Attributes
    ----------
    label
        Of the progress bar, and of the tasks on a cluster: what is done, and after a space of which slide.
    execution
        Device, dtype and workers, settled.
    scheduler
        Address of a ``dask.distributed`` scheduler; None computes on threads of this process.
    finished
        Answers of blocks that need not be computed again; None keeps none.
    """

    label: str
    execution: ExecutionConfig
    scheduler: str | None = None
    finished: Finished | None = None

    def answers(self, function: Callable[[Block], Answer], blocks: Sequence[Block]) -> Iterator[Answer]:
        """Yield the answers in the order of the blocks; the length of a block is its number of tiles."""
        workers = default_workers(self.execution, compute_of(self.execution))
        try:
            with progress(self.label, sum(map(len, blocks))) as advance:
                done = 0
                for answer in self.finished.read() if self.finished else ():
                    advance(len(blocks[done]), earlier=True)
                    done += 1
                    yield answer
                left = blocks[done:]
                for answer in map_blocks(
                    function, left, workers=workers, scheduler=self.scheduler, name=self.label,
                    on_done=lambda index: advance(len(left[index])),
                ):  # fmt: skip
                    if self.finished:
                        self.finished.add(answer)
                    yield answer
        finally:
            clear()
