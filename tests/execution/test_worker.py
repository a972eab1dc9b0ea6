"""What a process keeps between blocks."""

import threading
import time
from collections.abc import Iterator

import pytest

from wsi_scale.execution.worker import MOST, clear, kept


class Handle:
    """Something that must be closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Start and end with empty hands."""
    clear()
    yield
    clear()


def opened(key: str) -> Handle:
    """Use a slide shortly."""
    with kept("slide", key, Handle) as handle:
        assert not handle.closed
    return handle


def test_a_thing_is_made_once_for_its_key() -> None:
    first = opened("a")
    assert opened("a") is first
    assert opened("b") is not first


def test_threads_that_ask_at_once_get_the_same_thing() -> None:
    made, got = [], []

    def make() -> Handle:
        time.sleep(0.05)
        made.append(Handle())
        return made[-1]

    def use() -> None:
        with kept("network", "n", make) as handle:
            got.append(handle)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert got == made * 4


def test_each_device_keeps_its_own() -> None:
    """Of the networks on several GPUs none is loaded anew for each block."""
    made = []

    def use(device: str) -> None:
        with kept("network", device, lambda: made.append(device), device=device):
            pass

    gpus = [f"cuda:{number}" for number in range(MOST["network"] + 1)]
    for device in gpus * 2:
        use(device)
    assert made == gpus


def test_one_thing_can_need_another() -> None:
    with kept("network", "outer", lambda: opened("inner")) as handle:
        assert opened("inner") is handle


def test_clearing_closes_everything_and_forgets_it() -> None:
    handle = opened("a")
    with kept("network", "n", lambda: "no handle"):
        pass
    clear()
    assert handle.closed
    assert opened("a") is not handle


def test_what_is_used_is_closed_when_its_last_user_leaves() -> None:
    with kept("slide", "a", Handle) as handle:
        with kept("slide", "a", Handle) as same:
            clear()
        assert same is handle
        assert not handle.closed
        assert opened("a") is not handle
    assert handle.closed


def test_of_each_kind_the_ones_used_last_are_kept() -> None:
    network = Handle()
    with kept("network", "n", lambda: network):
        pass
    first = opened("0")
    others = [opened(str(number)) for number in range(1, MOST["slide"])]
    assert opened("0") is first
    opened("one more")
    assert [handle.closed for handle in (first, *others)] == [False, True, *[False] * (len(others) - 1)]
    assert opened("0") is first
    assert not network.closed


def test_what_is_used_is_not_forgotten_for_another() -> None:
    with kept("slide", "used", Handle) as used:
        others = [opened(str(number)) for number in range(2 * MOST["slide"])]
        assert sum(not handle.closed for handle in (used, *others)) == MOST["slide"]
        assert opened("used") is used
    assert not used.closed


def test_more_than_are_kept_can_be_used_at_once() -> None:
    count = MOST["network"] + 2
    meeting = threading.Barrier(count, timeout=20)
    handles = []

    def use(key: int) -> None:
        with kept("network", key, Handle) as handle:
            meeting.wait()
            handles.append((handle, handle.closed))

    threads = [threading.Thread(target=use, args=(key,)) for key in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [closed for _, closed in handles] == [False] * count
    assert sum(not handle.closed for handle, _ in handles) == MOST["network"]


def test_a_failure_is_not_kept() -> None:
    with pytest.raises(ZeroDivisionError), kept("slide", "a", lambda: 1 // 0):
        pass
    assert not opened("a").closed


def test_what_a_block_failed_with_is_made_anew_for_the_next() -> None:
    with pytest.raises(OSError, match="stale"), kept("slide", "a", Handle) as handle:
        raise OSError("stale file handle")
    assert handle.closed
    assert opened("a") is not handle
