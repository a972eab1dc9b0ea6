"""Logs of a workflow's jobs, put together: one a slide."""

from collections.abc import Iterable
from pathlib import Path

from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.errors import ArtifactError


def gather_logs(results: Path, slide_ids: Iterable[str]) -> None:
    """Move what the jobs of each slide logged to the end of the slide's own log, each after a line with its stage.

    Raises
    ------
    ArtifactError
        A log cannot be written.
    """
    folder = results / "logs" / "slides"
    if not folder.is_dir():
        return
    for slide_id in slide_ids:
        logs = {stage: folder / f"{slide_id}.{stage}.log" for stage in SLIDE_STAGES}
        there = {stage: log for stage, log in logs.items() if log.exists()}
        if not there:
            continue
        try:
            with (folder / f"{slide_id}.log").open("ab") as stream:
                for stage, log in there.items():
                    stream.write(f"[{stage}]\n".encode() + log.read_bytes())
            for log in there.values():
                log.unlink()
        except OSError as error:
            raise ArtifactError(f"cannot write the log of {slide_id}: {error.strerror}") from error
