"""One array of a Zarr store in one file, written row by row with one chunk in memory.

zarr holds a whole shard, and its bytes twice, to write one, and reads and writes all of it for each block of rows.
A shard is a sequence of chunks with an index at the end (ZEP 2), so rows can be written as they arrive.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
import zarr
from numcodecs import Zstd
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

#: Rows that are compressed together, and that a reader of one of them decodes.
CHUNK_ROWS = 1024
#: zarr's own default.
_LEVEL = 0


class ShardWriter:
    """Writes rows of a float32 array in any order; rows that are not written hold NaN.

    A chunk is in memory from its first row to its last: rows that are near one another should follow one another.
    """

    def __init__(self, stream: BinaryIO, chunk_shape: tuple[int, ...], rows: int) -> None:
        self._stream = stream
        self._shape = chunk_shape
        self._rows = rows
        self._open: dict[int, NDArray[np.float32]] = {}
        self._missing: dict[int, int] = {}
        self._codec = Zstd(_LEVEL)
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0

    def put(self, rows: NDArray[np.integer], values: NDArray[np.float32]) -> None:
        """Write rows, each once."""
        if not values.size:
            return
        numbers, places = np.divmod(rows, self._shape[0])
        for number in np.unique(numbers).tolist():
            mine = numbers == number
            if number in self._places or rows.min() < 0 or rows.max() >= self._rows:
                raise ValueError(f"row {int(rows[mine][0])} is not one to be written")
            self._chunk(number)[places[mine]] = values[mine]
            self._missing[number] -= int(mine.sum())
            if not self._missing[number]:
                self._write(number)

    def _chunk(self, number: int) -> NDArray[np.float32]:
        if number not in self._open:
            self._open[number] = np.full(self._shape, np.nan, "<f4")
            self._missing[number] = min(self._shape[0], self._rows - number * self._shape[0])
        return self._open[number]

    def finish(self, chunks: int) -> None:
        """Write the remaining chunks and the index."""
        for number in range(chunks):
            if number not in self._places:
                self._chunk(number)
                self._write(number)
        index = np.array([self._places[number] for number in range(chunks)], "<u8").tobytes()
        self._stream.write(index + google_crc32c.value(index).to_bytes(4, "little"))

    def _write(self, number: int) -> None:
        size = self._stream.write(self._codec.encode(self._open.pop(number)))
        self._places[number] = self._end, size
        self._end += size


@contextmanager
def writing_shard(
    folder: Path,
    name: str,
    shape: tuple[int, ...],
    dimensions: tuple[str, ...],
    attributes: Mapping[str, Any] | None = None,
) -> Iterator[ShardWriter]:
    """Create an array in the root of a Zarr 3 store, to be filled; it is complete when the body ends.

    Parameters
    ----------
    folder
        The store's.
    shape
        Rows first.
    """
    chunk = tuple(max(1, extent) for extent in (min(shape[0], CHUNK_ROWS), *shape[1:]))
    chunks = max(1, -(-shape[0] // chunk[0]))
    array = zarr.open_group(folder, mode="r+").create_array(
        name, shape=shape, dtype="float32", chunks=chunk, shards=(chunks * chunk[0], *chunk[1:]),
        dimension_names=dimensions, compressors=ZstdCodec(level=_LEVEL), fill_value=np.nan,
        attributes=dict(attributes or {}),
    )  # fmt: skip
    path = folder / name / Path("c", *["0"] * array.ndim)
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        writer = ShardWriter(stream, chunk, shape[0])
        yield writer
        writer.finish(chunks)
