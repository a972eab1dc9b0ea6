"""``jobs/<batch>/<stages>.txt``: the mark of a job that ended, with the slides that it went through.

What became of them stands in their records. A mark of other slides than the batch has by now counts for nothing.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from wsi_scale.artifacts.atomic import replacing_file

#: Folder of the marks, in that of the results.
NAME = "jobs"


def mark_path(results: Path, batch: str, stages: Sequence[str]) -> Path:
    """Path of the mark of a job: a batch, and the stages through which its slides are taken."""
    return results / NAME / batch / f"{'_'.join(stages)}.txt"


def write_mark(path: Path, slide_ids: Sequence[str]) -> None:
    """Write down that a job has gone through its slides.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    with replacing_file(path) as part:
        part.write_text(_text(slide_ids), encoding="utf-8")


def is_mark_of(path: Path, slide_ids: Sequence[str]) -> bool:
    """Whether a job's mark is there, and of these slides."""
    try:
        return path.read_text(encoding="utf-8") == _text(slide_ids)
    except (OSError, ValueError):
        return False


def _text(slide_ids: Sequence[str]) -> str:
    return "".join(f"{quote(os.fsencode(slide_id))}\n" for slide_id in slide_ids)
