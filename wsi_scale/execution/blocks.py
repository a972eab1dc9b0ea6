"""Blocks of tiles over workers: one Dask task a block, results in order, the same whatever the workers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from wsi_scale.errors import ConfigError

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
) -> Iterator[Result]:
    """Compute ``function`` of each block and yield the results in the order of the blocks.

    Parameters
    ----------
    function
        Picklable where ``scheduler`` is given; opens what it needs by path, once per worker.
    workers
        Threads of this process, where no scheduler is given.
    scheduler
        Address of a running ``dask.distributed`` scheduler.
    on_done
        Called in this process with a block's number when it is done.
    """
    if scheduler is None:
        yield from _on_threads(function, blocks, workers, on_done)
    else:
        yield from _on_cluster(function, blocks, scheduler, on_done)


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


def _on_cluster(
    function: Callable[[Block], Result],
    blocks: Sequence[Block],
    scheduler: str,
    on_done: Callable[[int], None],
) -> Iterator[Result]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError("--scheduler needs dask.distributed: pip install 'wsi-scale[distributed]'") from error
    try:
        client = Client(scheduler, timeout="20s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask scheduler answers at {scheduler} ({error})") from error
    with client:
        size = WINDOW_PER_WORKER * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        pending: list[Any] = []
        waiting = list(enumerate(blocks))
        while waiting or pending:
            while waiting and len(pending) < size:
                index, block = waiting.pop(0)
                pending.append((index, client.submit(function, block, pure=False)))
            index, future = pending.pop(0)
            result = future.result()
            on_done(index)
            yield result
