"""Blocks over workers: the same results in the same order, whoever computes them."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.errors import SlideError
from wsi_scale.execution.blocks import WINDOW_PER_WORKER, map_blocks


@dataclass(frozen=True)
class Block:
    """A plan and some corners, as the stages send them."""

    plan: tuple[int, ...]
    corners: tuple[tuple[int, int], ...]


BLOCKS = [Block((1, 2), tuple((seed, i) for i in range(3))) for seed in range(25)]


def uneven(block: Block) -> np.ndarray:
    """Numbers that depend on the block alone, computed faster for later blocks."""
    seed = block.corners[0][0]
    time.sleep(0.002 * (seed % 5))
    return np.random.default_rng(seed).normal(size=4) * len(block.corners)


def fail_on_seven(block: Block) -> int:
    """Fail on one of the blocks."""
    if block.corners[0][0] == 7:
        raise SlideError("slide.svs: block 7 cannot be read")
    return block.corners[0][0]


def process_id(_: Block) -> int:
    """Who computes."""
    return os.getpid()


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a small cluster of two processes."""
    from distributed import LocalCluster

    with LocalCluster(processes=True, n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_threads_give_what_a_loop_gives_in_its_order(workers: int) -> None:
    expected = [uneven(block) for block in BLOCKS]
    actual = list(map_blocks(uneven, BLOCKS, workers=workers))
    np.testing.assert_array_equal(actual, expected)


def test_a_cluster_gives_what_a_loop_gives_in_its_order(scheduler: str) -> None:
    expected = [uneven(block) for block in BLOCKS]
    actual = list(map_blocks(uneven, BLOCKS, workers=1, scheduler=scheduler))
    np.testing.assert_array_equal(actual, expected)


def test_a_cluster_computes_in_its_own_processes(scheduler: str) -> None:
    computed_by = set(map_blocks(process_id, BLOCKS, workers=1, scheduler=scheduler))
    assert len(computed_by) == 2
    assert os.getpid() not in computed_by


def test_threads_compute_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)
    assert list(map_blocks(lambda _: meeting.wait() in (0, 1), [1, 2], workers=2)) == [True, True]


@given(st.lists(st.text(max_size=8) | st.integers() | st.tuples(st.text(max_size=3), st.integers()), max_size=12))
@settings(max_examples=30, deadline=None)
def test_a_block_is_handed_over_as_it_is(blocks: list[Any]) -> None:
    assert list(map_blocks(lambda block: block, blocks, workers=2)) == blocks


def test_a_block_that_reads_like_the_name_of_a_task_is_no_task() -> None:
    blocks = ["block-1", "block-0", ("block-0", 1)]
    assert list(map_blocks(lambda block: block, blocks, workers=1)) == blocks


def test_no_blocks_give_no_results(scheduler: str) -> None:
    assert list(map_blocks(uneven, [], workers=2)) == []
    assert list(map_blocks(uneven, [], workers=2, scheduler=scheduler)) == []


def test_an_error_in_a_thread_comes_out_as_it_is() -> None:
    with pytest.raises(SlideError, match=r"slide\.svs: block 7 cannot be read"):
        list(map_blocks(fail_on_seven, BLOCKS, workers=2))


def test_an_error_on_a_cluster_comes_out_as_it_is_after_the_results_before_it(scheduler: str) -> None:
    results = map_blocks(fail_on_seven, BLOCKS, workers=1, scheduler=scheduler)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(SlideError, match=r"slide\.svs: block 7 cannot be read"):
        next(results)


def test_a_cluster_can_be_used_again_after_an_error_or_an_early_stop(scheduler: str) -> None:
    results = map_blocks(fail_on_seven, BLOCKS, workers=1, scheduler=scheduler)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert list(map_blocks(fail_on_seven, BLOCKS[:5], workers=1, scheduler=scheduler)) == [0, 1, 2, 3, 4]


def test_each_block_is_reported_once_when_it_is_done(scheduler: str) -> None:
    for address in (None, scheduler):
        done: list[int] = []
        list(map_blocks(uneven, BLOCKS, workers=2, scheduler=address, on_done=done.append))
        assert sorted(done) == list(range(len(BLOCKS)))


@pytest.mark.parametrize("workers", [1, 2])
def test_only_a_window_of_blocks_is_computed_ahead(workers: int) -> None:
    done: list[int] = []
    many = list(range(100))
    results = map_blocks(lambda block: block, many, workers=workers, on_done=done.append)
    assert next(results) == 0
    assert len(done) <= WINDOW_PER_WORKER * workers
    assert list(results) == many[1:]
