"""What a worker keeps between blocks."""

import threading
import time
from collections.abc import Iterator

import pytest

from wsi_scale.execution.worker import let_go, once_per_worker


class Handle:
    """Something that must be closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Start and end with empty hands."""
    let_go()
    yield
    let_go()


def test_a_thing_is_made_once_for_its_key() -> None:
    first = once_per_worker(("slide", "a"), Handle)
    assert once_per_worker(("slide", "a"), Handle) is first
    assert once_per_worker(("slide", "b"), Handle) is not first


def test_threads_that_ask_at_once_get_the_same_thing() -> None:
    made, got = [], []

    def make() -> Handle:
        time.sleep(0.05)
        made.append(Handle())
        return made[-1]

    threads = [threading.Thread(target=lambda: got.append(once_per_worker("network", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert got == made * 4


def test_one_thing_can_need_another() -> None:
    inner = Handle()
    assert once_per_worker("outer", lambda: once_per_worker("inner", lambda: inner)) is inner


def test_letting_go_closes_everything_and_forgets_it() -> None:
    handle = once_per_worker("slide", Handle)
    once_per_worker("network", lambda: "no handle")
    let_go()
    assert handle.closed
    assert once_per_worker("slide", Handle) is not handle


def test_a_failure_is_not_kept() -> None:
    with pytest.raises(ZeroDivisionError):
        once_per_worker("slide", lambda: 1 // 0)
    assert once_per_worker("slide", lambda: "opened") == "opened"
