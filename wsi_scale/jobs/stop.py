"""A run that its user stops with Ctrl-C: nothing failed, and it goes on when it is started again."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

#: Environment variable with the command by which the user started a run, if that was not Snakemake itself.
COMMAND = "WSI_SCALE_COMMAND"
#: What Snakemake says of a run after Ctrl-C, if another command speaks for it; in the folder of the logs.
_LOG = "stopped.log"


class Stop:
    """Whether Ctrl-C has stopped the run of this process.

    Parameters
    ----------
    results
        Folder of the results.

    Attributes
    ----------
    asked
        Whether it has.
    command
        The user's command where that is not Snakemake itself, else "". What Snakemake says after Ctrl-C goes into a log
        then: every job that ended would be called an error.
    """

    def __init__(self, results: Path) -> None:
        self.asked = False
        self.command = os.environ.get(COMMAND, "")
        self._log = results / "logs" / _LOG

    def listen(self) -> None:
        """Notice Ctrl-C from now on, which still interrupts what this process does."""
        # Who started the run in the background does not want to be interrupted; only the main thread can be.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_interrupt)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.command and not self.asked:
            self._fall_silent()
        self.asked = True
        signal.default_int_handler(number, frame)

    def _fall_silent(self) -> None:
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            place = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError:  # a full or lost disk: then it is said here
            return
        for stream in (sys.stdout, sys.stderr):
            os.dup2(place, stream.fileno())
        os.close(place)
