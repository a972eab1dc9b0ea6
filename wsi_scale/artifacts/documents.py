"""JSON documents: one way to write and read them."""

import json
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError


def write_json(path: Path, content: Any) -> None:
    """Write a document whole or not at all; the same content gives the same bytes."""
    with replacing_file(path) as part:
        part.write_text(as_text(content), encoding="utf-8")


def as_text(content: Any) -> str:
    """Lay a document out; bytes of a file's name that are no UTF-8 become JSON's own escapes, and come back whole."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_json(path: Path) -> Any:
    """Read a document.

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; run the stage that writes it") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged ({error}); delete it and run again") from error
