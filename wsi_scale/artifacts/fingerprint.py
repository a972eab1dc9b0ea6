"""One digest over everything that a result depends on."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wsi_scale.errors import ArtifactError

#: Files up to this size are read whole; of larger ones the head, the end, and samples between them.
WHOLE_BYTES = 64 << 20
_SAMPLE_BYTES = 64 << 10
_SAMPLES = 512
_HEAD_BYTES = 1 << 20


def fingerprint(stage: str, version: int = 1, /, **depends_on: Any) -> str:
    """Digest of a stage's name, its version and everything it depends on.

    Parameters
    ----------
    version
        Increased whenever the stage gives other results for the same inputs.
    depends_on
        JSON-able values: other fingerprints, parameters, file identities.
    """
    content = {"stage": stage, "version": version, **depends_on}
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_identity(path: Path) -> str:
    """Identity of a file's content: its size and a digest over all of it, or over samples of a large file.

    Names and times are not used, so that a copy of a file is the same file. Of files above 64 MB, the first megabyte,
    the last 64 KB and 512 evenly spaced samples of 64 KB count.

    Raises
    ------
    ArtifactError
        It cannot be read.
    """
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as stream:
            for start, length in _read_places(size):
                stream.seek(start)
                digest.update(stream.read(length))
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; check the path") from error
    return digest.hexdigest()[:32]


def _read_places(size: int) -> Iterator[tuple[int, int]]:
    """Start and length of what is read of a file."""
    if size <= WHOLE_BYTES:
        yield 0, size
        return
    yield 0, _HEAD_BYTES
    for index in range(_SAMPLES):
        yield (size - _SAMPLE_BYTES) * index // (_SAMPLES - 1), _SAMPLE_BYTES


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be part of a fingerprint")
