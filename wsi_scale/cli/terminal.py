"""Standard output and error of any encoding, closed by their reader, or on a full disk."""

import codecs
import io
import json
import os
import sys
from typing import TYPE_CHECKING

from wsi_scale.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: Name of the error handler that writes what an encoding lacks as JSON does, so that JSON stays JSON.
_ESCAPE = "wsi_scale.escape"


def prepare_terminal() -> None:
    """Set up output so that no encoding, closed pipe or full disk stops a command before its work is done."""
    codecs.register_error(_ESCAPE, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:
        buffer = io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(buffer, sys.stdout.encoding, _ESCAPE, line_buffering=True)


class _Output(io.FileIO):
    """Standard output: a closed pipe is ignored, any other error is one line."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write, or discard the output if the pipe was closed."""
        try:
            return super().write(data)
        except BrokenPipeError:
            self._discard()
            return memoryview(data).nbytes
        except OSError as error:
            self._discard()
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error

    def _discard(self) -> None:
        """Discard all further output, including what is still buffered."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
