"""``planned.json``: the slides that a run of a cohort started with, and the batch of each.

All jobs use this list: a slide that was removed since is still expected, one that was added since is not. Paths are
percent-encoded, as in a URL, so that names in any encoding are restored exactly.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from wsi_scale.artifacts.documents import as_text, read_document, write_json
from wsi_scale.results.strict import STRICT

NAME = "planned.json"


@dataclass(frozen=True)
class PlannedSlide:
    """A slide as named in the folder or sheet.

    Attributes
    ----------
    slide_id, path
        Its name in all results, and where it was.
    mpp
        µm per pixel of level 0, used instead of the file's, or None.
    group
        What must not be split between training and test, or None.
    batch
        Name of the batch whose jobs compute it; slides of one batch share their processes.
    """

    __pydantic_config__ = STRICT

    slide_id: str
    path: Path
    mpp: float | None
    group: str | None
    batch: str


def write_plan(results: Path, slides: Sequence[PlannedSlide]) -> None:
    """Write the list into the results folder; a file with the same content is not touched."""
    path = results / NAME
    content = [asdict(slide) | {"path": quote(os.fsencode(slide.path))} for slide in slides]
    if not (path.is_file() and path.read_bytes() == as_text(content).encode()):
        write_json(path, content)


def read_plan(path: Path) -> list[PlannedSlide]:
    """Read the list.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    stored = read_document(path, list[PlannedSlide], "list of slides", "start the run again")
    return [replace(slide, path=Path(os.fsdecode(unquote_to_bytes(str(slide.path))))) for slide in stored]
