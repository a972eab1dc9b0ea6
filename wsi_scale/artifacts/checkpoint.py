"""Checkpoints: their names contain a digest of what they depend on, so that no other work continues from them.

A checkpoint of a training holds tensors in safetensors, the rest as JSON in its header; never pickle.
"""

import dataclasses
import json
import logging
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError

State = TypeVar("State")

#: Suffix of a checkpoint.
CHECKPOINT = ".checkpoint"

log = logging.getLogger(__name__)


def kept_work(path: Path, print_: str, suffix: str = CHECKPOINT) -> Path:
    """Path of a checkpoint beside ``path`` for a fingerprint; logs a line if only checkpoints of other work exist.

    Checkpoints of other inputs or settings keep their own files: they are neither used nor lost.
    """
    place = path.with_suffix(f".{print_[:12]}{suffix}")
    others = path.parent.glob(f"{escape(path.stem)}.{'[0-9a-f]' * 12}{escape(suffix)}")
    if not place.exists() and (other := min(others, default=None)):
        log.warning("%s has other inputs or settings: it is kept, and a new start is written to %s", other, place.name)
    return place


def write_checkpoint(path: Path, state: Any) -> None:
    """Write a dataclass of numbers, lists and (nested) dictionaries of tensors."""
    tensors: dict[str, torch.Tensor] = {}
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    outline = json.dumps(_outline(fields, "", tensors))
    with replacing_file(path) as part:
        save_file(tensors, part, metadata={"state": outline})


def read_checkpoint(path: Path, kind: type[State]) -> State:
    """Read what :func:`write_checkpoint` wrote, as ``kind``."""
    try:
        with safe_open(path, "pt") as stored:
            outline = json.loads((stored.metadata() or {})["state"])
            return kind(**_fill(outline, stored))
    except (SafetensorError, KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a checkpoint ({error}); delete it to train again") from error


def _outline(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[name] = value.clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        items = [[key, _outline(inner, f"{name}/{key}", tensors)] for key, inner in value.items()]
        return {"items": items}
    if isinstance(value, list | tuple):
        return {"list": [_outline(inner, f"{name}/{i}", tensors) for i, inner in enumerate(value)]}
    return {"value": value}


def _fill(outline: Any, stored: Any) -> Any:
    match outline:
        case {"tensor": name}:
            return stored.get_tensor(name)
        case {"items": items}:
            return {key: _fill(inner, stored) for key, inner in items}
        case {"list": values}:
            return [_fill(inner, stored) for inner in values]
        case {"value": value}:
            return value
        case _:
            raise ValueError("its structure is not that of a checkpoint of this version")
