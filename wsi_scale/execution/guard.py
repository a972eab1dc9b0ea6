"""The border of one item among many: it may fail, and the next one goes on."""

import logging
from collections.abc import Callable
from typing import TypeVar

from wsi_scale.errors import UserError, one_line

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


def guarded(what: str, work: Callable[[], _Answer], failed: Callable[[str], _Answer]) -> _Answer:
    """Do something with one slide at the per-slide border: it may fail, and the next slide goes on.

    Parameters
    ----------
    what
        The slide and what is done with it, for the log.
    work
        What is done.
    failed
        Makes an answer of the reason, one line, where the work raises whatever it may.
    """
    try:
        return work()
    except UserError as error:
        return failed(one_line(error))
    except Exception as error:  # the per-slide border
        log.exception(what)
        return failed(f"unexpected {type(error).__name__}: {one_line(error)} (see the log; please report it)")
