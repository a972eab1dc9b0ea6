"""How a command ends: every exit code, and what it says to a script."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of all commands, each with its meaning; docs/command-line.md shows them."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> "ExitCode":
        """Make a number that knows its meaning."""
        code = int.__new__(cls, number)
        code._value_, code.meaning = number, meaning
        return code

    DONE = 0, "done; nothing failed, or `--record-only` was given and the record says what failed"
    FAILED = 1, "a slide failed, a result is damaged, or something has to be put right first: one line says what"
    USAGE = 2, "the command line is wrong: an unknown option, or a missing argument"
    FLAGGED = 3, "`magnification audit` flagged a slide, and could read all of them"
    INTERRUPTED = 130, "stopped with Ctrl-C; started again, it goes on where it was"
    OUT_OF_MEMORY = 137, "a job of a cluster ran out of memory; the scheduler starts it again with more"
