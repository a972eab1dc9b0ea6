"""Blocks on a Dask cluster, with a one-line error if scheduler or workers fail."""

import asyncio
import logging
import pkgutil
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wsi_scale.errors import ClusterError, ConfigError
from wsi_scale.version import __version__

if TYPE_CHECKING:
    from distributed import Client, Future

Block = TypeVar("Block")
Result = TypeVar("Result")

#: Seconds without a worker or an answer of the scheduler after which the cluster counts as lost.
PATIENCE_S = 30.0
#: Looks at the cluster in that time, while a block is waited for.
_LOOKS = 10
#: What the numbers of a block depend on, and how they travel.
_LIBRARIES = (
    *("dask", "distributed", "imagecodecs", "numpy", "openslide-bin", "openslide-python", "pillow", "scipy"),
    *("tifffile", "torch", "zarr"),
)
_HERE = "the same versions as on this machine"
_LOST = "the Dask scheduler at {} was lost while blocks were computed; start it and run again"
#: Loggers that tell of lost connections, at length and on standard error.
_TALKATIVE = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")


def map_on_cluster(
    function: Callable[[Block], Result],
    blocks: Sequence[Block],
    scheduler: str,
    on_done: Callable[[int], None],
    *,
    window_per_worker: int,
    patience_s: float = PATIENCE_S,
) -> Iterator[Result]:
    """Compute ``function`` of each block on a cluster and yield the results in the order of the blocks.

    Blocks of a worker that dies are computed again by another.

    Parameters
    ----------
    scheduler
        Address of a running ``dask.distributed`` scheduler.
    on_done
        Called in this process with a block's number when it is done.
    window_per_worker
        Blocks in flight per worker.
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
        cluster = _Cluster(client, scheduler, patience_s)
        cluster.wait_for_workers()
        cluster.check_package()
        checked = _Checked(function, installed())
        pending: list[tuple[int, Future[Result]]] = []
        waiting = list(reversed(list(enumerate(blocks))))
        while waiting or pending:
            while waiting and len(pending) < window_per_worker * max(1, cluster.workers):
                index, block = waiting.pop()
                pending.append((index, client.submit(checked, block, pure=False)))
            index, future = pending.pop(0)
            result: Result = cluster.result_of(future)
            on_done(index)
            yield result


@cache
def installed() -> Mapping[str, str]:
    """Versions, in this process, of the libraries that results depend on."""
    found = {"wsi_scale": __version__, "python": ".".join(platform.python_version_tuple()[:2])}
    for name in _LIBRARIES:
        try:
            # A build for another device ("+cpu") is the same version.
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = "missing"
    return found


class _Checked(Generic[Block, Result]):
    """A block's function that fails on a worker with other versions, because workers can join at any time."""

    def __init__(self, function: Callable[[Block], Result], versions: Mapping[str, str]) -> None:
        self._function = function
        self._versions = dict(versions)

    def __call__(self, block: Block) -> Result:
        found = installed()
        if differs := [name for name, number in self._versions.items() if found.get(name) != number]:
            from distributed import get_worker

            told = ", ".join(f"{name} {found.get(name)} (here {self._versions[name]})" for name in differs)
            raise ClusterError(f"Dask worker {get_worker().address} has {told}; give it {_HERE}")
        return self._function(block)


class _Cluster:
    """A scheduler, and its workers when last checked."""

    def __init__(self, client: "Client", scheduler: str, patience_s: float) -> None:
        self.workers = 0
        self._client = client
        self._scheduler = scheduler
        self._patience_s = patience_s
        self._pause_s = patience_s / _LOOKS
        self._alone_since: float | None = None

    def wait_for_workers(self) -> None:
        """Wait for a worker, up to the patience."""
        while not self._look():
            time.sleep(min(0.5, self._pause_s))

    def check_package(self) -> None:
        """Raise an error if the scheduler or a worker cannot import this package, or has another version of it.

        The check uses only the standard library, so that it also works without the package.
        """
        asked = (pkgutil.resolve_name, "wsi_scale.version:__version__")
        found: dict[str, Any] = {}
        try:
            answers = self._client.run(*asked, on_error="return")
            found = {f"worker {address}": told for address, told in answers.items()}
            found["scheduler"] = self._client.run_on_scheduler(*asked)  # type: ignore[no-untyped-call]
        except ImportError as error:
            found["scheduler"] = error
        except OSError as error:
            raise ClusterError(_LOST.format(self._scheduler)) from error
        for where, told in found.items():
            if isinstance(told, ImportError):
                raise ClusterError(
                    f"Dask {where} cannot import wsi_scale ({told}); install wsi-scale {__version__} there"
                )
            if isinstance(told, str) and told != __version__:
                raise ClusterError(f"Dask {where} has wsi_scale {told} (here {__version__}); give it {_HERE}")

    def result_of(self, future: "Future[Any]") -> Any:
        """Wait for a block's result while the cluster is alive."""
        while True:
            try:
                return future.result(timeout=self._pause_s)
            except TimeoutError:
                if future.status == "error":  # the block's own
                    return future.result()
                self._look()

    def _look(self) -> int:
        """Count the workers; a cluster without workers for too long is an error."""
        try:
            answer = self._client.nthreads(callback_timeout=self._patience_s)  # type: ignore[no-untyped-call]
            self.workers = len(answer)
        except (OSError, TimeoutError) as error:
            raise ClusterError(_LOST.format(self._scheduler)) from error
        now = time.monotonic()
        self._alone_since = None if self.workers else self._alone_since or now
        if self._alone_since and now - self._alone_since >= self._patience_s:
            raise ClusterError(
                f"the Dask scheduler at {self._scheduler} has had no workers for {self._patience_s:.0f} s; "
                f"start some (dask worker {self._scheduler}) and run again"
            )
        return self.workers


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
        raise ClusterError(_LOST.format(scheduler)) from error
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
