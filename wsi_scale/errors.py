"""Errors that are not bugs.

WsiScaleError
└── UserError              the user can fix it: one line, exit 1
    ├── ConfigError        configuration or command-line values (also ValueError)
    ├── SheetError         a sample sheet, with every fault it has
    ├── SlideError         a slide that cannot be read
    │   ├── RegionError    a part of a slide that cannot be decoded; other parts may be readable
    │   ├── ReadError      a slide whose pixels could not be read this time (a share, memory); run again
    │   └── MppError       a slide whose µm per pixel is missing or unusable
    ├── WeightsError       weights or a network file missing, damaged or of another network
    ├── ArtifactError      a result on disk that is missing, damaged or made with other parameters
    ├── BusyError          another process works on the same slide's folder
    ├── ClusterError       a Dask cluster that cannot be used, or broke down
    └── OutputError        standard output cannot be written
"""

import re
from collections.abc import Sequence
from typing import Self

#: A number as most of Europe writes it.
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")


class WsiScaleError(Exception):
    """Base of all errors raised on purpose."""


class UserError(WsiScaleError):
    """Something the user can fix; its text says what, where and what to do, in one line.

    Examples
    --------
    >>> import wsi_scale as ws
    >>> try:
    ...     ws.open_slide("none.svs")
    ... except ws.UserError as error:
    ...     print(error)
    there is no slide none.svs; check the path
    """


class ConfigError(UserError, ValueError):
    """A wrong key or value in the configuration or on the command line."""


class SheetError(UserError):
    """A sample sheet with faults.

    Parameters
    ----------
    path
        The sheet.
    problems
        One text per fault; all of them are shown at once.
    """

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        count = f"{len(self.problems)} fault{'s' if len(self.problems) > 1 else ''}"
        super().__init__(f"{path}: {count} in the sample sheet: " + "; ".join(self.problems))

    def __reduce__(self) -> tuple[type[Self], tuple[str, tuple[str, ...]]]:
        return type(self), (self.path, self.problems)


class SlideError(UserError):
    """A slide that cannot be read or used."""


class RegionError(SlideError):
    """A part of a slide that cannot be decoded; other parts may be readable."""


class ReadError(SlideError):
    """A slide whose pixels could not be read this time; the slide itself may be intact."""


class MppError(SlideError):
    """A slide whose µm per pixel is missing or unusable for the task."""


class WeightsError(UserError):
    """Weights or a network file that are missing, damaged or of another network."""


class ArtifactError(UserError):
    """A result on disk that is missing, damaged or made with other inputs or parameters."""


class BusyError(UserError):
    """Another process holds the slide's folder."""


class ClusterError(UserError):
    """A Dask cluster without workers, with incompatible workers, or that broke down."""


class OutputError(UserError):
    """Standard output cannot be written, so that a command's output is lost."""


def one_line(error: BaseException) -> str:
    """Put an error's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def comma_hint(text: str) -> str:
    """Say how a number with a decimal comma is written here, as the end of a line; "" for another text.

    Examples
    --------
    >>> comma_hint("0,25"), comma_hint("wide")
    ('; write 0.25, with a point', '')
    """
    return f"; write {text.strip().replace(',', '.')}, with a point" if _DECIMAL_COMMA.fullmatch(text) else ""


def without_name(slide_id: str, reason: str) -> str:
    """Leave out the name or path of the slide with which a reason begins, where it was named before.

    Examples
    --------
    >>> without_name("a", "data/a.svs: cut short"), without_name("a", "no tissue found")
    ('cut short', 'no tissue found')
    """
    return reason.partition(": ")[2] if named(slide_id, reason) == reason else reason


def named(slide_id: str, reason: str) -> str:
    """Lead a reason with the name of its slide, unless it begins with that itself.

    Examples
    --------
    >>> named("a", "a.svs: cut short"), named("a", "no tissue found")
    ('a.svs: cut short', 'a: no tissue found')
    """
    first, colon, _ = reason.partition(": ")
    return reason if colon and first.rpartition("/")[2].startswith(slide_id) else f"{slide_id}: {reason}"
