"""Blocks that a stage has computed, kept beside its artefact until that is written."""

import dataclasses
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import google_crc32c
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from wsi_scale.artifacts.atomic import one_line_errors, progress_path
from wsi_scale.version import __version__

Answer = TypeVar("Answer")

#: Before each block: its bytes and their CRC-32C.
_HEAD = struct.Struct("<QI")
#: Between the name of a field and the key of one of its arrays.
_OF = "/"


class FinishedBlocks(Generic[Answer]):
    """Answers of the first blocks of a stage, in order; a killed run goes on after them.

    An answer is a dataclass of arrays, of dictionaries of arrays, and of tuples of texts. The file is written at its
    end only; a block that a killed process left half-written is computed again.

    Parameters
    ----------
    artefact
        Path of what the stage writes; the blocks lie beside it.
    print_
        Fingerprint of the stage's inputs: blocks of other inputs are removed.
    kind
        The dataclass.
    """

    def __init__(self, artefact: Path, print_: str, kind: type[Answer]) -> None:
        self.path = progress_path(artefact)
        self._head = json.dumps({"wsi_scale": __version__, "fingerprint": print_}).encode() + b"\n"
        self._kind = kind

    def read(self) -> Iterator[Answer]:
        """Yield the answers of earlier runs; what follows the last whole one is removed."""
        with one_line_errors(self.path):
            if not self.path.exists() or not self._is_mine():
                self.path.write_bytes(self._head)
        whole = len(self._head)
        with self.path.open("rb") as stream:
            stream.seek(whole)
            while (found := _next(stream)) is not None:
                yield self._unpacked(found)
                whole = stream.tell()
        with one_line_errors(self.path), self.path.open("rb+") as stream:
            stream.truncate(whole)

    def add(self, answer: Answer) -> None:
        """Append the answer of the next block."""
        content = save(self._packed(answer))
        with one_line_errors(self.path), self.path.open("ab") as stream:
            stream.write(_HEAD.pack(len(content), google_crc32c.value(content)) + content)

    def remove(self) -> None:
        """Remove the file: the artefact is written."""
        self.path.unlink(missing_ok=True)

    def _is_mine(self) -> bool:
        with self.path.open("rb") as stream:
            return stream.read(len(self._head)) == self._head

    def _packed(self, answer: Answer) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for field in dataclasses.fields(answer):  # type: ignore[arg-type]  # a dataclass
            value = getattr(answer, field.name)
            if isinstance(value, dict):
                arrays |= {f"{field.name}{_OF}{key}": np.ascontiguousarray(array) for key, array in value.items()}
                arrays[field.name + _OF] = _text(list(value))
            elif isinstance(value, tuple):
                arrays[field.name] = _text(value)
            else:
                arrays[field.name] = np.ascontiguousarray(value)
        return arrays

    def _unpacked(self, content: bytes) -> Answer:
        arrays = load(content)
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self._kind):  # type: ignore[arg-type]  # a dataclass
            name = field.name
            if name not in arrays:
                keys = json.loads(arrays[name + _OF].tobytes())
                values[name] = {key: arrays[f"{name}{_OF}{key}"] for key in keys}
            elif str(field.type).startswith("tuple"):
                values[name] = tuple(json.loads(arrays[name].tobytes()))
            else:
                values[name] = arrays[name]
        return self._kind(**values)


def _text(values: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(values).encode(), np.uint8)


def _next(stream: BinaryIO) -> bytes | None:
    """Read the next block; None at the end, or where it is not whole."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, checksum = _HEAD.unpack(head)
    content = stream.read(size)
    return content if len(content) == size and google_crc32c.value(content) == checksum else None
