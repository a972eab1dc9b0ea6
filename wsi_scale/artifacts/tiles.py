"""``tiles.parquet``: the tiles of a slide that hold tissue, and the grid they lie on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from wsi_scale.artifacts import names
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.documents import STRICT, check_document
from wsi_scale.artifacts.formats import FORMAT, UNNUMBERED, check_format
from wsi_scale.errors import ArtifactError

NAME = names.TILES

_KEY = b"wsi_scale"
_AGAIN = "run `wsi-scale tile` again"
#: Columns and their kinds; NumPy's letters.
_COLUMNS = {"row": "i", "col": "i", "x": "i", "y": "i", "tissue_fraction": "f"}


@dataclass(frozen=True)
class TileGrid:
    """The grid that tiles lie on.

    Attributes
    ----------
    rows, cols
        Tiles down and across, with or without tissue.
    tile_px, mpp
        Side of a tile in pixels at ``mpp`` µm per pixel.
    step_um
        Distance of neighbouring tiles, µm.
    slide_width, slide_height
        Level-0 pixels.
    mpp_x, mpp_y
        µm per level-0 pixel.
    mpp_source
        Where these come from.
    """

    __pydantic_config__ = STRICT

    rows: NonNegativeInt
    cols: NonNegativeInt
    tile_px: PositiveInt
    mpp: PositiveFloat
    step_um: PositiveFloat
    slide_width: PositiveInt
    slide_height: PositiveInt
    mpp_x: PositiveFloat
    mpp_y: PositiveFloat
    mpp_source: str


@dataclass(frozen=True)
class _Header:
    """What the schema's metadata say."""

    __pydantic_config__ = STRICT

    fingerprint: str
    grid: TileGrid
    format: int = UNNUMBERED


@dataclass(frozen=True)
class TileTable:
    """Tiles that hold tissue, one entry a tile, in order of row and col.

    Attributes
    ----------
    row, col
        Place on the grid.
    x, y
        Top left, level-0 pixels.
    tissue_fraction
        Share of the tile that is tissue, 0–1.
    """

    grid: TileGrid
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    tissue_fraction: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)


def write_tiles(folder: Path, table: TileTable, fingerprint: str) -> None:
    """Write the tiles; pandas, polars and DuckDB read the same file."""
    columns = {name: getattr(table, name) for name in ("row", "col", "x", "y", "tissue_fraction")}
    header = json.dumps(asdict(_Header(fingerprint, table.grid, FORMAT)), sort_keys=True)
    content = pa.table(columns).replace_schema_metadata({_KEY: header.encode()})
    with replacing_file(folder / NAME) as part:
        pq.write_table(content, part, compression="zstd")


def read_tiles(folder: Path) -> tuple[TileTable, str]:
    """Read the tiles and their fingerprint.

    Raises
    ------
    ArtifactError
        Missing, damaged, not written by `tile` or of another version's layout.
    """
    path = folder / NAME
    try:
        content = pq.read_table(path)
        text = (content.schema.metadata or {})[_KEY]
        columns = {name: content[name].to_numpy() for name in _COLUMNS}
    except FileNotFoundError as error:
        raise ArtifactError(f"no {path}; run `wsi-scale tile` first") from error
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is no table of tiles ({error}); {_AGAIN}") from error
    header = _header(path, text)
    table = TileTable(header.grid, **columns)
    if fault := _fault_of(table):
        raise ArtifactError(f"{path} is no table of tiles ({fault}); {_AGAIN}")
    return table, header.fingerprint


def _header(path: Path, text: bytes) -> _Header:
    header = check_document(text, _Header, str(path), "table of tiles", _AGAIN)
    check_format(path, header.format, "tile")
    return header


def _fault_of(table: TileTable) -> str:
    """Say what is wrong with the columns: each of its kind, and every tile on the grid."""
    for name, kind in _COLUMNS.items():
        values = getattr(table, name)
        if values.dtype.kind != kind or not np.isfinite(values).all():
            return f"{name} holds what is no number of its kind"
    on_grid = (table.row >= 0) & (table.row < table.grid.rows) & (table.col >= 0) & (table.col < table.grid.cols)
    return "" if on_grid.all() else "some tiles lie off the grid"
