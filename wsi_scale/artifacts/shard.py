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
    """Writes rows of a float32 array in order; rows that are not written hold NaN."""

    def __init__(self, stream: BinaryIO, chunk_shape: tuple[int, ...]) -> None:
        self._stream = stream
        self._chunk = np.full(chunk_shape, np.nan, "<f4")
        self._codec = Zstd(_LEVEL)
        self._sizes: list[int] = []

    def put(self, rows: slice, values: NDArray[np.float32]) -> None:
        """Write rows; they must follow all rows written before."""
        start = int(rows.start)
        while values.size:
            at = start - len(self._sizes) * len(self._chunk)
            if at < 0:
                raise ValueError(f"row {start} is written after later rows")
            if at >= len(self._chunk):
                self._write_chunk()
                continue
            taken = values[: len(self._chunk) - at]
            self._chunk[at : at + len(taken)] = taken
            start, values = start + len(taken), values[len(taken) :]

    def finish(self, chunks: int) -> None:
        """Write the remaining chunks and the index."""
        while len(self._sizes) < chunks:
            self._write_chunk()
        sizes = np.array(self._sizes, "<u8")
        index = np.stack([np.cumsum(sizes) - sizes, sizes], axis=1).astype("<u8").tobytes()
        self._stream.write(index + google_crc32c.value(index).to_bytes(4, "little"))

    def _write_chunk(self) -> None:
        self._sizes.append(self._stream.write(self._codec.encode(self._chunk)))
        self._chunk[:] = np.nan


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
        writer = ShardWriter(stream, chunk)
        yield writer
        writer.finish(chunks)
