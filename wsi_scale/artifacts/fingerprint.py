"""What a result depends on, as one digest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsi_scale.errors import ArtifactError
from wsi_scale.version import __version__

#: Files up to this size are read whole; of larger ones, samples.
_WHOLE_BYTES = 4 << 20
_SAMPLE_BYTES = 64 << 10
_SAMPLES = 24


def fingerprint(stage: str, /, **depends_on: Any) -> str:
    """Digest of a stage's name, the package's version and everything the stage depends on.

    Parameters
    ----------
    depends_on
        JSON-able values: other fingerprints, parameters, file identities.
    """
    content = {"stage": stage, "wsi_scale": __version__, **depends_on}
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_identity(path: Path) -> str:
    """Identity of a file's (or a folder's) content: its size and a digest over evenly spaced samples.

    Names and times play no part, so that a copy of a slide is the same slide.

    Raises
    ------
    ArtifactError
        It cannot be read.
    """
    try:
        if path.is_dir():
            parts = sorted(file_identity(inner) for inner in path.iterdir() if inner.is_file())
            return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
        return _sampled_digest(path)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}; check the path") from error


def _sampled_digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        if size <= _WHOLE_BYTES:
            digest.update(stream.read())
        else:
            for index in range(_SAMPLES):
                stream.seek((size - _SAMPLE_BYTES) * index // (_SAMPLES - 1))
                digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be part of a fingerprint")
