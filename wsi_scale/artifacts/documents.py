"""Writing, reading and checking JSON documents."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.config.faults import faults_of
from wsi_scale.errors import ArtifactError

Document = TypeVar("Document")


#: What Python puts in place of the bytes of a file's name that are no text.
_NO_TEXT = re.compile("[\ud800-\udfff]")


def write_json(path: Path, content: Any) -> None:
    """Write a document atomically; the same content gives the same bytes."""
    with replacing_file(path) as part:
        part.write_text(as_text(content), encoding="utf-8")


def as_text(content: Any) -> str:
    r"""Format a document as text; bytes of a name that are not valid text are escaped.

    >>> as_text({"path": "Pr\udce4parat"})
    '{\n "path": "Pr\\\\udce4parat"\n}\n'
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return _NO_TEXT.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)


def read_json(path: Path) -> Any:
    """Read a document of any content.

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    return read_document(path, object, "document", "delete it and run again")


def read_document(path: Path, kind: type[Document], what: str, remedy: str) -> Document:
    """Read a document and check it: every key is present, of its type, and finite.

    Parameters
    ----------
    path
        Its file.
    kind
        A dataclass whose fields are the keys. Texts are never converted to numbers.
    what, remedy
        What it should be, and what to do if it is not, for the message.

    Raises
    ------
    ArtifactError
        It is missing, damaged or something else; in one line that names the file and the key.
    """
    return check_document(read_content(path), kind, str(path), what, remedy)


def read_content(path: Path) -> bytes:
    """Read a document's bytes, unchecked.

    Raises
    ------
    ArtifactError
        It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; run the stage that writes it") from error


def check_document(content: str | bytes, kind: type[Document], where: str, what: str, remedy: str) -> Document:
    """Check JSON that is part of something else, such as a file's header, as :func:`read_document` does.

    Raises
    ------
    ArtifactError
        It is damaged or something else.
    """
    try:
        checked: Document = _adapter(kind).validate_json(content, strict=True)  # type: ignore[arg-type]  # it is hashable
    except ValidationError as error:
        damaged = error.errors()[0]["type"] == "json_invalid"
        fault = f"{where} is damaged" if damaged else f"{where} is not a {what}"
        raise ArtifactError(f"{fault} ({faults_of(error)}); {remedy}") from error
    return checked


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
