"""Workers of a Dask cluster: whether they are alive, what they have installed, and which have nothing to do."""

import pkgutil
import platform
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wsi_scale.errors import ClusterError
from wsi_scale.execution.worker import keep_freed_memory
from wsi_scale.version import __version__

if TYPE_CHECKING:
    from distributed import Client

Block = TypeVar("Block")
Result = TypeVar("Result")

#: Looks at the cluster within its patience.
_LOOKS = 10
#: Times the patience after which a cluster counts as lost whose workers are all paused: a block may take that long.
_PAUSED = 10
#: What the numbers of a block depend on, and how they travel.
_LIBRARIES = (
    *("dask", "distributed", "imagecodecs", "numpy", "openslide-bin", "openslide-python", "pillow", "scipy"),
    *("tifffile", "torch", "zarr"),
)
_HERE = "the same versions as on this machine"
#: Told of a scheduler, by its address, that does not answer any more.
LOST = "the Dask scheduler at {} was lost while blocks were computed; start it and run again"


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


class Checked(Generic[Block, Result]):
    """A block's function that fails on a worker with other versions, because workers can join at any time."""

    def __init__(self, function: Callable[[Block], Result], versions: Mapping[str, str]) -> None:
        self._function = function
        self._versions = dict(versions)

    def __call__(self, block: Block) -> Result:
        """Compute a block, in a worker."""
        found = installed()
        if differs := [name for name, number in self._versions.items() if found.get(name) != number]:
            from distributed import get_worker

            told = ", ".join(f"{name} {found.get(name)} (here {self._versions[name]})" for name in differs)
            raise ClusterError(f"Dask worker {get_worker().address} has {told}; give it {_HERE}")
        keep_freed_memory()
        return self._function(block)


class ClusterWorkers:
    """The workers of a cluster when last looked at.

    Parameters
    ----------
    client
        Connected to the scheduler.
    scheduler
        Its address.
    patience_s
        Seconds without a worker or an answer of the scheduler after which the cluster counts as lost.

    Attributes
    ----------
    pause_s
        Seconds between two looks.
    """

    def __init__(self, client: "Client", scheduler: str, patience_s: float) -> None:
        self.pause_s = patience_s / _LOOKS
        self._client = client
        self._scheduler = scheduler
        self._patience_s = patience_s
        self._threads: dict[str, int] = {}
        self._looked_s = 0.0
        self._empty_since_s: float | None = None
        self._paused_since_s: float | None = None

    @property
    def threads(self) -> int:
        """Threads of all workers, those of paused ones too; at least one."""
        return max(1, sum(self._threads.values()))

    def wait_for_workers(self) -> None:
        """Wait for a worker, up to the patience."""
        while not self._look():
            time.sleep(min(0.5, self.pause_s))

    def look_in_turn(self) -> None:
        """Look at the workers, if the last look was a while ago; a cluster that is lost is an error."""
        if time.monotonic() - self._looked_s >= self.pause_s:
            self._look()

    def idle(self) -> tuple[list[str], dict[Any, str]]:
        """Threads with nothing to do, each by its worker's address, and the worker of each task by its key."""
        tasks = self._asked("processing")
        running = self._asked("ncores_running")
        free = [address for address, count in running.items() for _ in range(count - len(tasks.get(address, ())))]
        return free, {key: address for address, keys in tasks.items() for key in keys}

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
            raise ClusterError(LOST.format(self._scheduler)) from error
        for where, told in found.items():
            if isinstance(told, ImportError):
                raise ClusterError(
                    f"Dask {where} cannot import wsi_scale ({told}); install wsi-scale {__version__} there"
                )
            if isinstance(told, str) and told != __version__:
                raise ClusterError(f"Dask {where} has wsi_scale {told} (here {__version__}); give it {_HERE}")

    def _look(self) -> int:
        """Count the workers; a cluster without any, or with all of them paused, for too long is an error."""
        self._threads = self._asked("ncores")
        running = self._asked("ncores_running")
        now_s = self._looked_s = time.monotonic()
        # Since the first look that found it so: while nobody asks for a result, nobody looks.
        self._empty_since_s = None if self._threads else self._empty_since_s or now_s
        self._paused_since_s = None if running or not self._threads else self._paused_since_s or now_s
        if self._empty_since_s and now_s - self._empty_since_s >= self._patience_s:
            raise ClusterError(
                f"the Dask scheduler at {self._scheduler} has had no workers for {self._patience_s:.0f} s; "
                f"start some (dask worker {self._scheduler}) and run again"
            )
        if self._paused_since_s and now_s - self._paused_since_s >= _PAUSED * self._patience_s:
            raise ClusterError(
                f"all workers of the Dask scheduler at {self._scheduler} have been paused for "
                f"{_PAUSED * self._patience_s:.0f} s, {min(self._threads)} among them (its memory limit is nearly "
                "reached); give workers more memory, or lower execution.block_tiles"
            )
        return len(self._threads)

    def _asked(self, what: str) -> dict[str, Any]:
        """Ask the scheduler for a table of its workers."""
        try:
            ask = getattr(self._client.scheduler, what)
            answer = self._client.sync(ask, callback_timeout=self._patience_s)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError) as error:
            raise ClusterError(LOST.format(self._scheduler)) from error
        return dict(answer)
