"""Blocks of tiles on workers: one Dask task for each block; results in order and independent of the workers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from wsi_scale.execution.cluster import PATIENCE_S, map_on_cluster

Block = TypeVar("Block")
Result = TypeVar("Result")

#: Blocks in flight per worker: enough to keep it busy, few enough to hold memory flat.
WINDOW_PER_WORKER = 8


def map_blocks(
    function: Callable[[Block], Result],
    blocks: Sequence[Block],
    *,
    workers: int,
    scheduler: str | None = None,
    on_done: Callable[[int], None] = lambda _: None,
    patience_s: float = PATIENCE_S,
) -> Iterator[Result]:
    """Compute ``function`` of each block and yield the results in the order of the blocks.

    Parameters
    ----------
    function
        Picklable if ``scheduler`` is given; opens files by path, once per worker.
    workers
        Threads of this process, where no scheduler is given.
    scheduler
        Address of a running ``dask.distributed`` scheduler.
    on_done
        Called in this process with a block's number when it is done.
    patience_s
        Seconds without a worker or an answer of the scheduler after which the cluster counts as lost.
    """
    if scheduler is None:
        yield from _on_threads(function, blocks, workers, on_done)
    else:
        yield from map_on_cluster(
            function, blocks, scheduler, on_done, window_per_worker=WINDOW_PER_WORKER, patience_s=patience_s
        )


def _on_threads(
    function: Callable[[Block], Result], blocks: Sequence[Block], workers: int, on_done: Callable[[int], None]
) -> Iterator[Result]:
    from dask.base import compute
    from dask.callbacks import Callback
    from dask.delayed import delayed

    def posttask(key: str, *_: Any) -> None:
        on_done(int(key.rsplit("-", 1)[1]))

    # Windows of blocks hold memory flat; a barrier between them costs a fraction of a block.
    size = WINDOW_PER_WORKER * workers
    for start in range(0, len(blocks), size):
        window = range(start, min(start + size, len(blocks)))
        tasks = [delayed(function)(blocks[i], dask_key_name=f"block-{i}") for i in window]
        with Callback(posttask=posttask):  # type: ignore[no-untyped-call]
            yield from compute(  # type: ignore[no-untyped-call]
                *tasks, scheduler="threads", num_workers=workers, optimize_graph=False
            )
