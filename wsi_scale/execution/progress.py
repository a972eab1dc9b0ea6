"""The progress bar: tiles done, tiles per second, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Advance = Callable[[int], None]

_shown: ContextVar[bool] = ContextVar("_shown", default=True)


@contextmanager
def showing_progress(shown: bool) -> Iterator[None]:
    """Show or hide the bars of the body; a program's commands show them."""
    token = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def progress(description: str, total: int, *, unit: str = "tiles") -> Iterator[Advance]:
    """Show a bar on standard error while the body runs; nothing if that is not a terminal.

    Yields
    ------
    advance
        Call it with the number of units done since the last call.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, disable=not (_shown.get() and (console.is_terminal or console.is_jupyter))
    ) as bar:
        task = bar.add_task(description, total=total, rate=unit)

        def advance(count: int) -> None:
            bar.advance(task, count)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:.1f} {unit}/s" if speed else unit)

        yield advance
