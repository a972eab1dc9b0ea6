"""How much commands say: results on standard output, everything else on standard error."""

import dataclasses
import functools
import inspect
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO, TypeVar

import typer

from wsi_scale.cli.examples import examples_text

Level = Literal["quiet", "normal", "verbose"]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say on standard error what is done, and why.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and the results asked for.")]

#: Seconds from which on a command says how long it took: on a terminal, and elsewhere.
_TOOK_S, _TOOK_IN_LOG_S = 5.0, 60.0
_LOG_LEVELS = {"quiet": logging.ERROR, "normal": logging.WARNING, "verbose": logging.INFO}
#: Where the level that was given before the command's name is kept for it.
_GIVEN = "wsi_scale.level"

_level: ContextVar[Level] = ContextVar("_level", default="normal")

Command = TypeVar("Command", bound=Callable[..., Any])


class TalkingTyper(typer.Typer):
    """Commands that take ``--verbose`` and ``--quiet``, as the program itself does, and whose help ends with examples.

    Parameters
    ----------
    name
        Of the group of commands, as it is typed after `wsi-scale`; "" is the program itself.
    """

    def __init__(self, name: str = "", **options: Any) -> None:
        super().__init__(name=name or "wsi-scale", epilog=examples_text(name), no_args_is_help=True, **options)
        self._group = name

    def command(self, name: str | None = None, **options: Any) -> Callable[[Command], Command]:
        """Register a command with the two options; without, where unknown ones are another program's."""
        of_another = (options.get("context_settings") or {}).get("ignore_unknown_options")

        def registered(function: Command) -> Command:
            typed = name or function.__name__
            options["help"] = _paragraphs(function)
            if not options.get("hidden"):
                options["epilog"] = examples_text(f"{self._group} {typed}".strip())
            super(TalkingTyper, self).command(typed, **options)(function if of_another else _talking(function))
            return function

        return registered


def level_given(context: typer.Context, *, verbose: bool, quiet: bool) -> Level:
    """Note what was asked for before a command's name, or after it, which counts more.

    Raises
    ------
    typer.BadParameter
        Both were asked for.
    """
    if verbose and quiet:
        raise typer.BadParameter("--verbose and --quiet exclude each other")
    level: Level = "verbose" if verbose else "quiet" if quiet else context.meta.get(_GIVEN, "normal")
    context.meta[_GIVEN] = level
    return level


def say(text: str) -> None:
    """Print on standard error what is being done."""
    if _level.get() != "quiet":
        typer.echo(text, err=True)


def tell(text: str) -> None:
    """Print on standard error what has been done, but where ``--verbose`` says more of it anyway."""
    if _level.get() == "normal":
        typer.echo(text, err=True)


def warn(warnings: Iterable[str]) -> None:
    """Print warnings on standard error."""
    for warning in warnings:
        say(f"warning: {warning}")


def conclude(text: str) -> None:
    """Print on standard output what became of something."""
    if _level.get() != "quiet":
        typer.echo(text)


def print_json(value: Any) -> None:
    """Print on standard output what ``--json`` asks for: dataclasses and mappings as objects, paths as texts."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=_as_plain))


def _as_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Path) else value.item()  # a number of numpy


@contextmanager
def talking(level: Level, *, bars: bool = True) -> Iterator[None]:
    """Let a command say more or less; without ``bars`` as into a log, on a terminal too."""
    from wsi_scale.execution.progress import showing_progress
    from wsi_scale.jobs.logs import start_logging
    from wsi_scale.units import as_duration

    token, started = _level.set(level), time.monotonic()
    start_logging(_Here(), _LOG_LEVELS[level])
    try:
        with showing_progress(level != "quiet", bars=bars):
            yield
        took = time.monotonic() - started
        if took > (_TOOK_S if sys.stderr.isatty() else _TOOK_IN_LOG_S):
            say(f"took {as_duration(took)}")
    finally:
        _level.reset(token)


class _Here(logging.StreamHandler[TextIO]):
    """Logs to what is standard error by now: while there is a bar, lines go above it."""

    @property
    def stream(self) -> TextIO:
        """Standard error."""
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


def _paragraphs(function: Callable[..., Any]) -> str:
    """Return a docstring with each paragraph on one line: the terminal's width decides where its lines end."""
    return "\n\n".join(" ".join(text.split()) for text in (inspect.getdoc(function) or "").split("\n\n"))


def _talking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the two options to a command."""
    signature, named = inspect.signature(function, eval_str=True), inspect.Parameter.KEYWORD_ONLY

    @functools.wraps(function)
    def command(context: typer.Context, verbose: bool, quiet: bool, **given: Any) -> Any:
        level = level_given(context, verbose=verbose, quiet=quiet)
        # With --record-only standard error is a log.
        with talking(level, bars=not given.get("record_only")):
            return function(**given)

    added = [
        inspect.Parameter("context", named, annotation=typer.Context),
        inspect.Parameter("verbose", named, default=False, annotation=Verbose),
        inspect.Parameter("quiet", named, default=False, annotation=Quiet),
    ]
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    return command
