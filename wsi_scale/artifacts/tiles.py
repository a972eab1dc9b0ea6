"""``tiles.parquet``: the tiles of a slide that hold tissue, and the grid they lie on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wsi_scale.artifacts import names
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.documents import check_document
from wsi_scale.artifacts.formats import FORMAT, UNNUMBERED, check_format
from wsi_scale.errors import ArtifactError
from wsi_scale.results.strict import STRICT
from wsi_scale.results.tiles import REGION_COLUMNS, TileGrid, TileTable

NAME = names.TILES

_KEY = b"wsi_scale"
_AGAIN = "run `wsi-scale tile` again"
#: Columns and their kinds; NumPy's letters.
_COLUMNS = {"row": "i", "col": "i", "x": "i", "y": "i", "tissue_fraction": "f"}


@dataclass(frozen=True)
class _Header:
    """The metadata of the schema."""

    __pydantic_config__ = STRICT

    fingerprint: str
    grid: TileGrid
    format: int = UNNUMBERED


def write_tiles(folder: Path, table: TileTable, fingerprint: str) -> None:
    """Write the tiles; pandas, polars and DuckDB read the same file."""
    columns = {name: getattr(table, name) for name in _COLUMNS} | table.regions()
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
        columns |= {
            name: content[name].to_numpy().astype(np.str_) for name in REGION_COLUMNS if name in content.column_names
        }
    except FileNotFoundError as error:
        raise ArtifactError(f"no {path}; run `wsi-scale tile` first") from error
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a table of tiles ({error}); {_AGAIN}") from error
    header = _header(path, text)
    table = TileTable(header.grid, **columns)
    if fault := _fault_of(table):
        raise ArtifactError(f"{path} is not a table of tiles ({fault}); {_AGAIN}")
    return table, header.fingerprint


def tile_count(folder: Path) -> int:
    """Read the number of tiles alone.

    Raises
    ------
    ArtifactError
        Missing or damaged.
    """
    try:
        return int(pq.read_metadata(folder / NAME).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(f"cannot read {folder / NAME} ({error}); {_AGAIN}") from error


def _header(path: Path, text: bytes) -> _Header:
    header = check_document(text, _Header, str(path), "table of tiles", _AGAIN)
    check_format(path, header.format, "tile")
    return header


def _fault_of(table: TileTable) -> str:
    """Describe what is wrong with the columns: their types, and whether every tile lies on the grid."""
    for name, kind in _COLUMNS.items():
        values = getattr(table, name)
        if values.dtype.kind != kind or not np.isfinite(values).all():
            return f"{name} holds values of a wrong type"
    on_grid = (table.row >= 0) & (table.row < table.grid.rows) & (table.col >= 0) & (table.col < table.grid.cols)
    return "" if on_grid.all() else "some tiles lie off the grid"
