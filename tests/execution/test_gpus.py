"""One GPU for each process: the next free one, and again the one of a process that was killed."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from wsi_scale.execution.gpus import MOST, take

#: Says which card a process has, and keeps it until it is killed.
HOLDER = """
import sys, time
from tests.pretended_gpu import CARDS, pretend

pretend()
from wsi_scale.execution.gpus import every_gpu, own_gpu

gpus = every_gpu() if sys.argv[1] == "all" else (own_gpu(),)
print(" ".join(CARDS[int(gpu.removeprefix("cuda:"))] for gpu in gpus), flush=True)
time.sleep(600)
"""

Holder = tuple[subprocess.Popen[str], str]
Start = Callable[..., Holder]


@pytest.fixture
def cards() -> list[str]:
    """Ids that nothing else on this machine has."""
    return [uuid.uuid4().hex for _ in range(2)]


@pytest.fixture
def start(cards: list[str]) -> Iterator[Start]:
    """Start a process that takes one of the cards that it sees, or all; with the card's id."""
    with ExitStack() as stack:

        def started(asks: str = "one", sees: list[str] = cards) -> Holder:
            environment = os.environ | {"PRETENDED_CARDS": ",".join(sees)}
            command = [sys.executable, "-c", HOLDER, asks]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            return process, process.stdout.readline().strip()

        yield started


def test_each_process_has_its_own_and_a_killed_one_frees_it(cards: list[str], start: Start) -> None:
    first, second = start(), start()
    assert [first[1], second[1]] == cards

    first[0].send_signal(signal.SIGKILL)
    first[0].wait()
    assert start()[1] == cards[0]


def test_where_all_are_taken_they_are_shared_evenly(cards: list[str], start: Start) -> None:
    assert [start()[1] for _ in range(3)] == [cards[0], cards[1], cards[0]]
    # This process would be the second of the other card.
    assert take(cards) == 1


def test_a_card_is_the_same_one_under_another_number(cards: list[str], start: Start) -> None:
    """As in jobs of a cluster, which see the cards that they were given numbered from 0."""
    assert start(sees=cards[1:])[1] == cards[1]
    assert start()[1] == cards[0]


def test_a_run_on_all_leaves_the_others_equally_taken(cards: list[str], start: Start) -> None:
    assert start("all")[1].split() == cards
    assert [take(cards), take(cards)] == [0, 1]


def test_of_more_processes_than_are_counted_each_has_a_card(cards: list[str]) -> None:
    assert [take(cards[:1]) for _ in range(MOST + 1)] == [0] * (MOST + 1)
