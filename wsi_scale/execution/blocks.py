"""Blocks of tiles on threads of this process or on a Dask cluster; results in order, whoever computes them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from wsi_scale.execution.cluster import map_on_cluster

Block = TypeVar("Block")
Result = TypeVar("Result")

#: Blocks in flight per thread: enough to keep it busy, few enough to hold memory flat.
WINDOW_PER_WORKER = 4


def map_blocks(
    function: Callable[[Block], Result],
    blocks: Sequence[Block],
    *,
    workers: int,
    scheduler: str | None = None,
    name: str = "blocks",
    on_done: Callable[[int], None] = lambda _: None,
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
    name
        Of the tasks on a cluster's dashboard: what is done, and after a space of what.
    on_done
        Called in this process with a block's number when its result is here.
    """
    if scheduler is None:
        yield from _on_threads(function, blocks, workers, on_done)
    else:
        yield from map_on_cluster(function, blocks, scheduler, on_done, name=name)


def _on_threads(
    function: Callable[[Block], Result], blocks: Sequence[Block], workers: int, on_done: Callable[[int], None]
) -> Iterator[Result]:
    """Keep every thread busy: the next block is handed out when the first of the window has been taken."""
    pending: deque[tuple[int, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="block") as pool:
        try:
            for index, block in enumerate(blocks):
                pending.append((index, pool.submit(function, block)))
                if len(pending) == WINDOW_PER_WORKER * workers:
                    yield _result(pending, on_done)
            while pending:
                yield _result(pending, on_done)
        finally:
            # After an error, or where the consumer stops: what has not begun is not computed.
            for _, future in pending:
                future.cancel()


def _result(pending: "deque[tuple[int, Future[Result]]]", on_done: Callable[[int], None]) -> Result:
    index, future = pending.popleft()
    result = future.result()
    on_done(index)
    return result
