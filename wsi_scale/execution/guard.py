"""Errors of one slide among many: the others are still processed."""

import logging
from collections.abc import Callable
from typing import TypeVar

from wsi_scale.errors import UserError, one_line

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


def guarded(what: str, work: Callable[[], _Answer], failed: Callable[[str], _Answer]) -> _Answer:
    """Do something with one slide; an error is reported and does not stop the next slide.

    Parameters
    ----------
    what
        The slide and what is done with it, for the log.
    work
        What is done.
    failed
        Makes a result from the one-line reason if the work raises any error.
    """
    try:
        return work()
    except UserError as error:
        return failed(one_line(error))
    except Exception as error:  # the per-slide border
        log.exception(what)
        return failed(f"unexpected {type(error).__name__}: {one_line(error)} (see the log; please report it)")
