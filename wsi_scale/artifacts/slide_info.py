"""``slide.json``: what `inspect` says of a slide, under stable keys."""

from pathlib import Path
from typing import Any

from wsi_scale.artifacts.documents import as_text, read_json, write_json
from wsi_scale.errors import ArtifactError

NAME = "slide.json"


def write_slide_info(folder: Path, info: dict[str, Any]) -> None:
    """Write the keys of `inspect`, leaving a file that says the same as it is."""
    path = folder / NAME
    if not (path.is_file() and path.read_bytes() == as_text(info).encode()):
        write_json(path, info)


def read_slide_info(folder: Path) -> dict[str, Any]:
    """Read the keys of `inspect`.

    Raises
    ------
    ArtifactError
        Missing, damaged or something else.
    """
    content: Any = read_json(folder / NAME)
    if not isinstance(content, dict):
        raise ArtifactError(f"{folder / NAME} does not describe a slide; run `wsi-scale inspect` again")
    return content
