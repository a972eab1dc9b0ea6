"""``slide.json``: the metadata of a slide as `inspect` reports them, under stable keys."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from wsi_scale.artifacts import names
from wsi_scale.artifacts.documents import as_text, check_document, read_document, write_json

NAME = names.SLIDE_INFO

Info = TypeVar("Info")

_AGAIN = "run `wsi-scale inspect` again"


def write_slide_info(folder: Path, info: dict[str, Any]) -> None:
    """Write the keys of `inspect`; a file with the same content is not touched."""
    path = folder / NAME
    if not (path.is_file() and path.read_bytes() == as_text(info).encode()):
        write_json(path, info)


def read_slide_info(folder: Path) -> dict[str, Any]:
    """Read the keys of `inspect`; :func:`slide_info_of` checks them.

    Raises
    ------
    ArtifactError
        Missing, damaged or something else.
    """
    return read_document(folder / NAME, dict[str, Any], "description of a slide", _AGAIN)


def slide_info_of(values: Mapping[str, object], kind: type[Info]) -> Info:
    """Rebuild the value whose fields are the keys of `inspect`.

    Raises
    ------
    ArtifactError
        A key is missing, unknown, or of another type.
    """
    return check_document(json.dumps(values), kind, NAME, "description of a slide", _AGAIN)
