"""Tasks one after another in a child process: a task that kills its process costs no other task."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

#: What ends a run from outside: no task is to blame, and none is begun after it.
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: A shell gives a process that a signal ended this much more than the signal's number.
SIGNALLED = 128


class StoppedError(Exception):
    """A child was told to end by a signal.

    Attributes
    ----------
    exit_code
        As a shell gives it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.exit_code = SIGNALLED + number


@dataclass(frozen=True)
class Death:
    """The end of a child process in the middle of a task.

    Attributes
    ----------
    exit_code
        As a shell gives it: 128 + n for signal n.
    at
        What the task said last of where it was; "" if nothing.
    """

    exit_code: int
    at: str


@dataclass(frozen=True)
class _Done(Generic[Result]):
    """A task's result, on its way to the parent."""

    result: Result


def in_child(
    function: Callable[[Task, Callable[[str], None]], Result],
    tasks: Sequence[Task],
    on_death: Callable[[Task, Death], Task | None],
) -> Iterator[Result]:
    """Compute tasks one after another in a child process, and yield their results in order.

    The child ends with this process, however that ends.

    Parameters
    ----------
    function
        Of a task, and of a function by which it says where it is; picklable, as are tasks and results.
    on_death
        Called in this process when a task has killed its child; returns what is left of the task, which another child
        computes next, or None.

    Raises
    ------
    StoppedError
        The child was ended by SIGINT, SIGTERM or SIGHUP.
    """
    left = deque(tasks)
    while left:
        at = ""
        with _child(function, tuple(left)) as (child, receiver), suppress(EOFError):
            while left:
                said = receiver.recv()
                if isinstance(said, _Done):
                    left.popleft()
                    at = ""
                    yield said.result
                else:
                    at = said
        if left:
            task, death = left.popleft(), Death(_shell_code(child), at)
            if death.exit_code - SIGNALLED in _STOPS:
                raise StoppedError(death.exit_code - SIGNALLED)
            if (rest := on_death(task, death)) is not None:
                left.appendleft(rest)


@contextmanager
def _child(
    function: Callable[[Task, Callable[[str], None]], Result], tasks: Sequence[Task]
) -> Iterator[tuple[SpawnProcess, Connection]]:
    """Start a child on tasks; at the end it has ended, or is made to if nobody listens to it any more."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(function, tasks, sender), daemon=True)
    child.start()
    sender.close()
    try:
        yield child, receiver
    except BaseException:
        child.terminate()
        raise
    finally:
        child.join()
        receiver.close()


def _shell_code(child: SpawnProcess) -> int:
    code = child.exitcode or 0
    return SIGNALLED - code if code < 0 else code


def _work(function: Callable[[Task, Callable[[str], None]], Result], tasks: Sequence[Task], sender: Connection) -> None:
    """Compute the tasks in the child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent says what there is to say
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for task in tasks:
        sender.send(_Done(function(task, sender.send)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
