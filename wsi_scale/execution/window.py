"""Blocks on a cluster: which are handed out, which again because they are late, and results in order."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from statistics import median
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from wsi_scale.execution.cluster_workers import ClusterWorkers

if TYPE_CHECKING:
    from distributed import Future

Result = TypeVar("Result")

#: Blocks without a result per thread of the cluster: one is computed, the next waits at hand.
HANDED_OUT_PER_THREAD = 2
#: Blocks per thread from the first without a result to the last that was handed out: it bounds the results that are
#: held back for their turn, and is long enough that a block of several times the usual work stops nobody.
AHEAD_PER_THREAD = 16
#: A block is late after this many times the usual time from handing out to result.
_LATE = 2.0
#: Times a block is handed out at most, where its workers are late.
_MOST_COPIES = 3
#: Last blocks that the usual time is taken from.
_REMEMBERED = 64
#: Looks for late blocks in the time after which one is late, and least seconds between two.
_LOOKS = 4
_LEAST_WAIT_S = 0.05


class Submit(Protocol):
    """Hands a block out to the cluster."""

    def __call__(self, number: int, copy: int, addresses: list[str] | None) -> "Future[Any]":
        """Hand out a block by its number, as its first copy (0) or a later one, to any worker or rather to some."""


@dataclass(frozen=True)
class _Copy:
    """A block that was handed out: its number, when (s), and the future, which keeps it wanted."""

    number: int
    since_s: float
    future: "Future[Any]"


class Window(Generic[Result]):
    """The blocks of a run that are on a cluster, and results whose turn has not come.

    A block is handed out whenever another is done, whichever it is. A block that is late is computed again by a worker
    that has nothing to do, because no block is left or a late one holds up too many results; the first answer counts.
    The late copy stays on its worker, whose thread it keeps busy: a task that has begun cannot be stopped.

    Parameters
    ----------
    workers
        Of the cluster.
    submit
        Hands out a block.
    count
        Number of blocks.
    on_done
        Called with a block's number when its result is here.
    """

    def __init__(self, workers: ClusterWorkers, submit: Submit, count: int, on_done: Callable[[int], None]) -> None:
        self._workers, self._submit, self._on_done = workers, submit, on_done
        self._count = count
        self._end = count
        self._next = 0
        self._first = 0
        self._copies: dict[Any, _Copy] = {}
        self._held: dict[int, Result] = {}
        self._failed: dict[int, Future[Any]] = {}
        self._ended: SimpleQueue[tuple[Future[Any], float]] = SimpleQueue()
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._looked_s = 0.0

    def results(self) -> Iterator[Result]:
        """Yield the results in the order of the blocks; the error of a block in its turn."""
        self._hand_out()
        while self._first < self._count:
            self._wait()
            self._hand_out()
            while self._first in self._held:
                result = self._held.pop(self._first)
                self._first += 1
                self._hand_out()
                yield result
            if self._first in self._failed:
                self._failed[self._first].result()

    def _hand_out(self) -> None:
        threads = self._workers.threads
        last = min(self._end, self._first + AHEAD_PER_THREAD * threads)
        while self._next < last and self._next - self._first - len(self._held) < HANDED_OUT_PER_THREAD * threads:
            self._add(self._next, 0, None)
            self._next += 1

    def _add(self, number: int, copy: int, workers: list[str] | None) -> None:
        future = self._submit(number, copy, workers)
        self._copies[future.key] = _Copy(number, time.monotonic(), future)
        self._listen(future)

    def _listen(self, future: "Future[Any]") -> None:
        future.add_done_callback(  # type: ignore[no-untyped-call]
            lambda ended: self._ended.put((ended, time.monotonic()))
        )

    def _wait(self) -> None:
        """Wait until a block ends, or for so long that one may be late by now."""
        pause_s = self._workers.pause_s
        wait_s = max(_LEAST_WAIT_S, self._late_s() / _LOOKS) if self._took_s else pause_s
        with suppress(Empty):
            self._take(*self._ended.get(timeout=min(wait_s, pause_s)))
        self._workers.look_in_turn()
        now_s = time.monotonic()
        if self._ended.empty() and now_s - self._looked_s >= wait_s:
            self._looked_s = now_s
            self._hand_out_again()

    def _take(self, future: "Future[Any]", ended_s: float) -> None:
        """Take the result of a block, unless another copy was faster."""
        copy = self._copies.pop(future.key)
        number = copy.number
        if self._is_answered(number):
            return
        if future.status == "error":
            self._failed[number] = future
            self._end = min(self._end, self._next)
            return
        try:
            self._held[number] = future.result(timeout=self._workers.pause_s)
        except TimeoutError:
            # The worker that has the result is silent, or died and the block is computed again.
            self._copies[future.key] = copy
            self._listen(future)
            return
        self._took_s.append(ended_s - copy.since_s)
        self._on_done(number)

    def _is_answered(self, number: int) -> bool:
        return number < self._first or number in self._held or number in self._failed

    def _late_s(self) -> float:
        """Seconds after which a block is late."""
        return _LATE * median(self._took_s)

    def _late(self) -> dict[int, list[Any]]:
        """Late blocks, the first of them first: number → keys of its copies."""
        if not self._took_s:
            return {}
        latest: dict[int, float] = {}
        keys: dict[int, list[Any]] = {}
        for key, copy in self._copies.items():
            if not self._is_answered(copy.number):
                latest[copy.number] = max(copy.since_s, latest.get(copy.number, 0.0))
                keys.setdefault(copy.number, []).append(key)
        before_s = time.monotonic() - self._late_s()
        return {
            number: keys[number]
            for number in sorted(keys)
            if latest[number] < before_s and len(keys[number]) < _MOST_COPIES
        }

    def _hand_out_again(self) -> None:
        """Let workers that have nothing to do compute late blocks again, none a block that it has already."""
        if not (late := self._late()):
            return
        idle, place = self._workers.idle()
        for number, keys in late.items():
            elsewhere = [address for address in idle if address not in {place.get(key) for key in keys}]
            if elsewhere:
                idle.remove(elsewhere[0])
                self._add(number, len(keys), elsewhere[:1])
