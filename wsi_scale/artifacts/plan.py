"""``planned.json``: the slides that a run of the workflow started with.

Jobs for all slides go by this list: a slide that has gone since is still asked for, one that has come since is not.
A path stands in it percent-encoded, as in a URL, so that names in any encoding come back as they were.
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
    """A slide as the folder or sheet named it.

    Attributes
    ----------
    slide_id, path
        Its name in all results, and where it was.
    mpp
        µm per pixel of level 0 that outranks the file's, or None.
    group
        What must not be split between training and test, or None.
    """

    __pydantic_config__ = STRICT

    slide_id: str
    path: Path
    mpp: float | None
    group: str | None


def write_plan(results: Path, slides: Sequence[PlannedSlide]) -> None:
    """Write the list into the folder of the results, leaving one that says the same as it is."""
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
    stored = read_document(path, list[PlannedSlide], "list of slides", "start the workflow again")
    return [replace(slide, path=Path(os.fsdecode(unquote_to_bytes(str(slide.path))))) for slide in stored]
