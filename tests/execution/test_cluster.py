"""A cluster whose workers die, join, are slow or full in the middle of a run: same results, same order, in time."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask.utils import key_split
from distributed import Client, LocalCluster, Worker, get_worker
from distributed.core import Status
from distributed.utils import key_split_group

from wsi_scale.errors import ClusterError, SlideError
from wsi_scale.execution.cluster import map_on_cluster
from wsi_scale.execution.window import AHEAD_PER_THREAD, HANDED_OUT_PER_THREAD

#: Looks at the workers every half second.
PATIENCE_S = 5.0
WORKERS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two processes of one thread, whose memory nobody watches."""
    with LocalCluster(
        processes=True, n_workers=WORKERS, threads_per_worker=1, memory_limit=0, dashboard_address=":0"
    ) as started:  # type: ignore[no-untyped-call]
        yield started


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    """A client of the cluster, whose workers are all there and have computed nothing."""
    with Client(cluster, set_as_default=False) as connected:  # type: ignore[no-untyped-call]
        cluster.scale(WORKERS)  # type: ignore[no-untyped-call]
        wait_for(lambda: len(connected.nthreads()) == WORKERS)  # type: ignore[no-untyped-call]
        connected.run(forget)
        yield connected


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def forget(dask_worker: Worker) -> None:
    """Forget what the worker has computed."""
    dask_worker.computed = []  # type: ignore[attr-defined]


def remembered(dask_worker: Worker) -> list[int]:
    """Blocks that the worker has computed or begun."""
    return list(getattr(dask_worker, "computed", []))


def pause(dask_worker: Worker) -> None:
    """Pause the worker, as one that has nearly reached its memory limit."""
    dask_worker.status = Status.paused


def go_on(dask_worker: Worker) -> None:
    """Let a paused worker go on."""
    dask_worker.status = Status.running


class Doze:
    """A block's function that takes its time, on one worker ten times as long; its result is the block alone."""

    def __init__(self, seconds: float, slow: str = "") -> None:
        self._seconds, self._slow = seconds, slow

    def __call__(self, block: int) -> int:
        worker: Any = get_worker()
        worker.__dict__.setdefault("computed", []).append(block)
        time.sleep(self._seconds * (10 if worker.address == self._slow else 1))
        return block * block


def squares(count: int) -> list[int]:
    """Return what :class:`Doze` answers."""
    return [block * block for block in range(count)]


def started(function: Callable[[Any], Any], count: int, client: Client, **more: Any) -> Iterator[Any]:
    """Begin to compute so many blocks."""
    return map_on_cluster(function, range(count), client.scheduler.address, patience_s=PATIENCE_S, **more)


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(client: Client) -> None:
    pids = client.run(os.getpid)
    results = started(Doze(0.05), 40, client)
    first = [next(results) for _ in range(10)]
    os.kill(next(iter(pids.values())), signal.SIGKILL)
    assert [*first, *results] == squares(40)


def test_a_worker_that_joins_in_the_middle_computes_with_the_others(cluster: LocalCluster, client: Client) -> None:
    results = started(Doze(0.1), 80, client)
    first = [next(results) for _ in range(3)]
    cluster.scale(WORKERS + 1)  # type: ignore[no-untyped-call]
    assert [*first, *results] == squares(80)
    computed = client.run(remembered)
    assert len(computed) == WORKERS + 1
    assert min(map(len, computed.values())) >= 5


def test_a_worker_ten_times_as_slow_does_its_share_and_holds_nothing_up(client: Client) -> None:
    slow = next(iter(client.nthreads()))  # type: ignore[no-untyped-call]
    start = time.monotonic()
    results = list(started(Doze(0.1, slow), 50, client))
    took = time.monotonic() - start
    computed = client.run(remembered)
    assert results == squares(50)
    assert 2 <= len(computed[slow]) <= 8
    assert took < 0.1 * 50 * 1.5


def test_results_that_wait_for_their_turn_are_bounded(client: Client, tmp_path: Path) -> None:
    opened, done = tmp_path / "opened", []

    def held_up(block: int) -> int:
        time.sleep(0.05)
        while block == 0 and not opened.exists():
            time.sleep(0.01)
        return block

    def note(number: int) -> None:
        done.append(number)
        if len(done) == 1:
            threading.Timer(2.0, opened.touch).start()

    bound = AHEAD_PER_THREAD * WORKERS
    results = started(held_up, 2 * bound, client, on_done=note)
    assert next(results) == 0
    assert bound - HANDED_OUT_PER_THREAD * WORKERS <= len(done) <= bound
    for taken, result in enumerate(results, start=1):
        assert result == taken
        assert len(done) - taken <= bound


def test_no_block_is_computed_twice_for_results_that_are_taken_late(client: Client) -> None:
    taken = []
    for result in started(Doze(0.2), 16, client):
        taken.append(result)
        if len(taken) in (4, 14):
            time.sleep(1.5)
    assert taken == squares(16)
    assert sorted(block for blocks in client.run(remembered).values() for block in blocks) == list(range(16))


def test_a_paused_worker_gets_no_more_blocks(client: Client) -> None:
    paused = next(iter(client.nthreads()))  # type: ignore[no-untyped-call]
    results = started(Doze(0.05), 40, client)
    first = [next(results) for _ in range(6)]
    client.run(pause, workers=[paused])
    before = len(client.run(remembered)[paused])
    try:
        assert [*first, *results] == squares(40)
        assert len(client.run(remembered)[paused]) <= before + 1
    finally:
        client.run(go_on, workers=[paused])


def test_a_cluster_whose_workers_stay_paused_is_given_up(client: Client) -> None:
    client.run(pause)
    try:
        with pytest.raises(ClusterError, match=r"have been paused for 3 s, tcp://.* give workers more memory"):
            list(map_on_cluster(Doze(0.0), range(3), client.scheduler.address, patience_s=0.3))
    finally:
        client.run(go_on)


def test_tasks_are_named_by_what_is_done_of_which_slide_and_by_the_run(client: Client) -> None:
    def key(_: int) -> Any:
        return get_worker().get_current_task()  # type: ignore[no-untyped-call]

    keys = [list(started(key, 3, client, name="search TCGA-XX tissue (1)")) for _ in range(2)]
    for run in keys:
        assert [number for _, number in run] == [0, 1, 2]
        assert {key_split(key) for key in run} == {"search"}
        assert {key_split_group(key) for key in run} == {run[0][0]}
        assert run[0][0].endswith("-TCGA-XX tissue (1)")
    assert keys[0][0][0] != keys[1][0][0]


def test_of_several_blocks_that_fail_the_first_is_told(client: Client) -> None:
    def fail(block: int) -> int:
        if block == 3:
            time.sleep(0.5)
        if block in (3, 4, 5):
            raise SlideError(f"slide.svs: block {block} cannot be read")
        return block

    results = started(fail, 20, client)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SlideError, match="block 3 "):
        next(results)


def test_a_worker_keeps_the_memory_that_it_takes_again_and_again(client: Client) -> None:
    def pages(_: int) -> int:
        """Pages that the system had to give."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(200):
            np.ones(1 << 17)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    one = (1 << 17) * 8 // resource.getpagesize()
    assert max(started(pages, 4, client)) < 20 * one


def test_every_thread_of_a_worker_is_kept_busy() -> None:
    def at_a_time(_: int) -> int:
        time.sleep(0.1)
        return len(get_worker().state.executing)

    threads = 6
    with LocalCluster(processes=False, n_workers=1, threads_per_worker=threads, dashboard_address=None) as one:  # type: ignore[no-untyped-call]
        counts = map_on_cluster(at_a_time, range(2 * threads), one.scheduler_address)
        assert max(counts) == threads
