"""Reading ahead in a thread."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.errors import SlideError
from wsi_scale.execution.prefetch import prefetch


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@given(st.lists(st.integers() | st.none(), max_size=50), st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_items_come_in_their_order_and_all_of_them(items: list[int | None], depth: int) -> None:
    assert list(prefetch(items, depth)) == items
    assert not reading_threads()


def test_items_are_drawn_in_another_thread_while_the_consumer_works() -> None:
    drawn_by: set[str] = set()
    second_drawn = threading.Event()

    def items() -> Iterator[int]:
        for number in range(3):
            drawn_by.add(threading.current_thread().name)
            if number == 1:
                second_drawn.set()
            yield number

    ahead = prefetch(items(), depth=2)
    assert next(ahead) == 0
    assert second_drawn.wait(timeout=20)
    assert list(ahead) == [1, 2]
    assert drawn_by == {"prefetch"}


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_is_drawn_ahead_than_the_depth_allows(depth: int) -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    ahead = prefetch(items(), depth)
    assert next(ahead) == 0
    time.sleep(0.2)
    # One was taken, `depth` wait, and one is in the producer's hand.
    assert len(drawn) <= depth + 2
    ahead.close()  # type: ignore[attr-defined]


def test_an_error_is_raised_in_its_place_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise SlideError("slide.svs: cut short")

    ahead = prefetch(items(), depth=4)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(SlideError, match="cut short"):
        next(ahead)
    assert not reading_threads()


def test_a_consumer_that_stops_early_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    for number in prefetch(endless(), depth=2):
        if number == 3:
            break
    deadline = time.monotonic() + 20
    while reading_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not reading_threads()


def test_a_consumer_that_fails_ends_the_thread() -> None:
    def consume() -> None:
        for _ in prefetch(iter(int, 1), depth=2):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert not reading_threads()
