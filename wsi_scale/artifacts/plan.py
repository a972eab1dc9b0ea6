"""``planned.json``: the slides that a run of the workflow started with.

Jobs for all slides go by this list: a slide that has gone since is still asked for, one that has come since is not.
A path stands in it percent-encoded, as in a URL, so that names in any encoding come back as they were.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.errors import ArtifactError

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

    slide_id: str
    path: Path
    mpp: float | None
    group: str | None


def write_plan(results: Path, slides: Sequence[PlannedSlide]) -> None:
    """Write the list into the folder of the results."""
    write_json(results / NAME, [asdict(slide) | {"path": quote(os.fsencode(slide.path))} for slide in slides])


def read_plan(path: Path) -> list[PlannedSlide]:
    """Read the list.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    content: Any = read_json(path)
    try:
        return [PlannedSlide(**entry | {"path": _path(entry["path"])}) for entry in content]
    except (TypeError, KeyError) as error:
        raise ArtifactError(f"{path} is no list of slides ({error}); start the workflow again") from error


def _path(quoted: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(quoted)))
