"""The progress of a long piece of work: a bar on a terminal, elsewhere a line every half minute; and a count of it."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from wsi_scale.units import as_duration

#: Seconds between two lines where there is no terminal.
LINE_EVERY_S = 30.0


class Advance(Protocol):
    """Tells how much has been done since the last call."""

    def __call__(self, count: int, /, *, earlier: bool = False) -> None:
        """Count units of work; ``earlier`` are those that an earlier run had done, which took no time now."""


#: Whether progress is shown, and whether as bars where there is a terminal.
_style: ContextVar[tuple[bool, bool]] = ContextVar("_style", default=(True, True))
_work: ContextVar[Counter[str] | None] = ContextVar("_work", default=None)
#: Of each thread, what it shows the progress of by now: two bars would write over each other.
_here = threading.local()


@dataclass(frozen=True)
class _Shown:
    """What is shown: how it advances, whether its length is unknown, and how it gives way to what has a known one."""

    advance: Callable[[int, bool], None]
    is_open: bool
    pause: Callable[[], None]
    resume: Callable[[], None]


@contextmanager
def showing_progress(shown: bool, *, bars: bool = True) -> Iterator[None]:
    """Show or hide the progress of the body; without ``bars`` in lines, as in a log, on a terminal too."""
    token = _style.set((shown, bars))
    try:
        yield
    finally:
        _style.reset(token)


@contextmanager
def counting_work() -> Iterator[Counter[str]]:
    """Count the work of the body by its unit, such as tiles; what an earlier run had done is not counted."""
    work = Counter[str]()
    token = _work.set(work)
    try:
        yield work
    finally:
        _work.reset(token)


def count_work(count: int, unit: str) -> None:
    """Count work that no progress is shown of."""
    if (work := _work.get()) is not None:
        work[unit] += count


@contextmanager
def progress(description: str, total: int | None = None, *, unit: str = "tiles") -> Iterator[Advance]:
    """Show on standard error how far the body is; nothing within the progress of something larger.

    Parameters
    ----------
    total
        Number of units; None where it is not known. Then what the body shows itself is shown in its place.

    Yields
    ------
    advance
        Call it with the number of units done since the last call.
    """
    (shown, bars), outer = _style.get(), getattr(_here, "shown", None)
    if not shown or (outer is not None and (total is None or not outer.is_open)):
        yield _counted(lambda *_: None, unit)
        return
    if outer is not None:
        outer.pause()
    try:
        with (_bar if bars and _is_terminal() else _lines)(description, total, unit) as _here.shown:
            yield _counted(_here.shown.advance, unit)
    finally:
        _here.shown = outer
        if outer is not None:
            outer.resume()


def _is_terminal() -> bool:
    if not (sys.stderr.isatty() or "FORCE_COLOR" in os.environ or "IPython" in sys.modules):
        return False  # without loading what draws the bar
    from rich.console import Console

    console = Console(stderr=True)
    return (console.is_terminal and not console.is_dumb_terminal) or console.is_jupyter


def _counted(advance: Callable[[int, bool], None], unit: str) -> Advance:
    work = _work.get()  # by now: what is done may be told by another thread

    def counted(count: int, /, *, earlier: bool = False) -> None:
        if not earlier and work is not None:
            work[unit] += count
        advance(count, earlier)

    return counted


@contextmanager
def _bar(description: str, total: int | None, unit: str) -> Iterator[_Shown]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    counts = () if total is None else (MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    columns = (TextColumn("{task.description}"), BarColumn(), *counts)
    # Standard output goes through the bar only where both are one terminal: else it would end on standard error.
    with Progress(
        *columns, TimeElapsedColumn() if total is None else TimeLeftColumn(),
        console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task(description, total=total, rate=unit)

        def advance(count: int, earlier: bool) -> None:
            if earlier:  # not a sample of the speed
                bar.tasks[0].completed += count
                return
            bar.advance(task, count)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:.1f} {unit}/s" if speed else unit)

        yield _Shown(advance, total is None, bar.stop, bar.start)


@contextmanager
def _lines(description: str, total: int | None, unit: str) -> Iterator[_Shown]:
    done, now, started, ended, paused = 0, 0, time.monotonic(), threading.Event(), threading.Event()

    def advance(count: int, earlier: bool) -> None:
        nonlocal done, now
        done += count
        now += 0 if earlier else count

    def tell() -> None:
        while not ended.wait(LINE_EVERY_S):
            if paused.is_set():
                continue
            passed = time.monotonic() - started
            sys.stderr.write(f"{description}: {_standing(done, now, total, unit, passed)}\n")
            sys.stderr.flush()

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield _Shown(advance, total is None, paused.set, paused.clear)
    finally:
        ended.set()
        teller.join()


def _standing(done: int, now: int, total: int | None, unit: str, passed_s: float) -> str:
    """Say how far something is.

    >>> _standing(1200, 1000, 15000, "tiles", 50.0), _standing(0, 0, 9, "slides", 61.0)
    ('1200/15000 tiles, 20.0 tiles/s, 11 min left', '0/9 slides, 1 min 01 s so far')
    >>> _standing(0, 0, None, "views", 30.0)
    '30 s so far'
    """
    so_far = f"{as_duration(passed_s)} so far"
    if total is None:
        return so_far
    if not now:
        return f"{done}/{total} {unit}, {so_far}"
    rate = now / passed_s
    pace = f"{rate:.1f} {unit}/s" if rate >= 0.1 else f"{as_duration(1 / rate)} each"
    return f"{done}/{total} {unit}, {pace}, {as_duration((total - done) / rate)} left"
