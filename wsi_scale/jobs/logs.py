"""The log of each slide of a cohort: what its stages say on standard error."""

import logging
import os
import sys
from pathlib import Path

from wsi_scale.errors import ArtifactError


def slide_log(results: Path, slide_id: str) -> Path:
    """Path of a slide's log."""
    return results / "logs" / "slides" / f"{slide_id}.log"


def log_to(path: Path) -> None:
    """Let this process, and the libraries in it, add what they say on standard error to a file.

    Raises
    ------
    ArtifactError
        The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sys.stderr.flush()
        with path.open("ab") as stream:
            os.dup2(stream.fileno(), sys.stderr.fileno())
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror}; make room or check the folder") from error


def start_logging(handler: logging.Handler, level: int) -> None:
    """Log one line for each message; libraries that warn of every odd slide say only what is an error."""
    logging.basicConfig(handlers=[handler], level=level, format="%(levelname)s %(message)s")
    for noisy in ("tifffile", "PIL", "distributed"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
