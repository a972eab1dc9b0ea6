"""Blocks on a Dask cluster, with a one-line error if scheduler or workers fail."""

import asyncio
import logging
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from wsi_scale.errors import ClusterError, ConfigError
from wsi_scale.execution.cluster_workers import LOST, Checked, ClusterWorkers, installed
from wsi_scale.execution.window import Window

if TYPE_CHECKING:
    from distributed import Client, Future

Block = TypeVar("Block")
Result = TypeVar("Result")

#: Seconds without a worker or an answer of the scheduler after which the cluster counts as lost.
PATIENCE_S = 30.0
#: Loggers that tell of lost connections, at length and on standard error.
_TALKATIVE = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")


def map_on_cluster(
    function: Callable[[Block], Result],
    blocks: Sequence[Block],
    scheduler: str,
    on_done: Callable[[int], None] = lambda _: None,
    *,
    name: str = "blocks",
    patience_s: float = PATIENCE_S,
) -> Iterator[Result]:
    """Compute ``function`` of each block on a cluster and yield the results in the order of the blocks.

    Blocks of a worker that dies, or that is far slower than the others, are computed again by another.

    Parameters
    ----------
    scheduler
        Address of a running ``dask.distributed`` scheduler.
    on_done
        Called in this process with a block's number when its result is here.
    name
        Of the tasks on the dashboard: what is done, and after a space of what ("search CMU-1").
    patience_s
        Seconds without a worker or an answer of the scheduler after which the cluster counts as lost.

    Raises
    ------
    ConfigError
        No scheduler answers at the address.
    ClusterError
        The cluster has no workers, has incompatible workers, or breaks down.
    """
    with _quiet(), _connected(scheduler, patience_s) as client, _one_line_errors(scheduler):
        workers = ClusterWorkers(client, scheduler, patience_s)
        workers.wait_for_workers()
        workers.check_package()
        checked = Checked(function, installed())
        group = task_group(name)

        def submit(number: int, copy: int, addresses: list[str] | None) -> "Future[Any]":
            key = (group, number, f"copy {copy + 1}") if copy else (group, number)
            return client.submit(
                checked, blocks[number], key=key, pure=False, workers=addresses, allow_other_workers=bool(addresses)
            )

        yield from Window[Result](workers, submit, len(blocks), on_done).results()


def task_group(name: str) -> str:
    """Name the group of a run's tasks, unlike that of any other run on the scheduler.

    The dashboard takes the words before the token for the kind of task: one bar and one colour for all slides.
    """
    kind, _, subject = name.partition(" ")
    return "-".join(filter(None, (kind, uuid.uuid4().hex[:8], subject)))


@contextmanager
def _connected(scheduler: str, patience_s: float) -> "Iterator[Client]":
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError("--scheduler needs dask.distributed: pip install 'wsi-scale[distributed]'") from error
    try:
        with ThreadPoolExecutor(1) as pool:  # a thread of its own may run a loop, whoever calls
            pool.submit(asyncio.run, _shake_hands(scheduler, patience_s)).result()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions that differ are errors of ours
            client = Client(scheduler, timeout=patience_s, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:  # the last of an address whose kind is not set up here
        told = " ".join(str(error).split()) or "it does not answer"
        raise ConfigError(f"no Dask scheduler answers at {scheduler} ({told}); check the address") from error
    with client:
        yield client


async def _shake_hands(scheduler: str, patience_s: float) -> None:
    """Greet a scheduler: a client waits without end for whoever takes connections and says nothing."""
    from distributed.comm.core import connect
    from distributed.security import Security

    arguments = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    greeting = connect(scheduler, timeout=patience_s, **arguments)  # type: ignore[no-untyped-call]
    comm = await asyncio.wait_for(greeting, patience_s)
    comm.abort()


@contextmanager
def _one_line_errors(scheduler: str) -> Iterator[None]:
    """Turn the library's errors about a broken cluster into one line."""
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        yield
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(LOST.format(scheduler)) from error
    except KilledWorker as error:
        raise ClusterError(
            f"{error.allowed_failures + 1} Dask workers died on one block of tiles, the last at "
            f"{error.last_worker.address} (out of memory? its log says); give workers more memory, or lower "
            "execution.block_tiles"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the loggers of the library: their messages become one error."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
