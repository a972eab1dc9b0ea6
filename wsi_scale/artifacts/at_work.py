"""``jobs/<batch>/at-work.json``: the slide at which a batch's job is just now, for who looks at the run.

It is removed when the job ends; one whose job was killed stays until the batch's next job. No result depends on it.
"""

import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from wsi_scale.artifacts.documents import read_document, write_json
from wsi_scale.artifacts.job_mark import NAME as JOBS
from wsi_scale.results.strict import STRICT

NAME = "at-work.json"


@dataclass(frozen=True)
class AtWork:
    """Where a job is.

    Attributes
    ----------
    slide_id, stage
        What it does.
    since
        When it began with that, ISO 8601 with the zone.
    host, process
        Where it runs.
    """

    __pydantic_config__ = STRICT

    slide_id: str
    stage: str
    since: str
    host: str
    process: int


def write_at_work(results: Path, batch: str, slide_id: str, stage: str) -> None:
    """Write down where a batch's job, this process, is now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    here = AtWork(slide_id, stage, now, socket.gethostname(), os.getpid())
    write_json(_path(results, batch), asdict(here))


def remove_at_work(results: Path, batch: str) -> None:
    """Forget where a batch's job was."""
    _path(results, batch).unlink(missing_ok=True)


def read_at_work(results: Path) -> list[AtWork]:
    """Read where all jobs of a cohort are; one that ends meanwhile is left out.

    Raises
    ------
    ArtifactError
        A file is damaged.
    """
    found = sorted((results / JOBS).glob(f"*/{NAME}"))
    return [read_document(path, AtWork, "note of a job at work", "delete it") for path in found if path.exists()]


def _path(results: Path, batch: str) -> Path:
    return results / JOBS / batch / NAME
