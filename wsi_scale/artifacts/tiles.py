"""``tiles.parquet``: the tiles of a slide that hold tissue, and the grid they lie on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError

NAME = "tiles.parquet"
_KEY = b"wsi_scale"


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

    rows: int
    cols: int
    tile_px: int
    mpp: float
    step_um: float
    slide_width: int
    slide_height: int
    mpp_x: float
    mpp_y: float
    mpp_source: str


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
    header = json.dumps({"fingerprint": fingerprint, "grid": asdict(table.grid)}, sort_keys=True)
    content = pa.table(columns).replace_schema_metadata({_KEY: header.encode()})
    with replacing_file(folder / NAME) as part:
        pq.write_table(content, part, compression="zstd")


def read_tiles(folder: Path) -> tuple[TileTable, str]:
    """Read the tiles and their fingerprint.

    Raises
    ------
    ArtifactError
        Missing, damaged or not written by `tile`.
    """
    path = folder / NAME
    try:
        content = pq.read_table(path)
        header = json.loads((content.schema.metadata or {})[_KEY])
        columns = {name: content[name].to_numpy() for name in content.column_names}
        return TileTable(TileGrid(**header["grid"]), **columns), header["fingerprint"]
    except FileNotFoundError as error:
        raise ArtifactError(f"no {path}; run `wsi-scale tile` first") from error
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is no table of tiles ({error}); run `wsi-scale tile` again") from error


def tiles_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the tiles in a folder; None where there are none that can be read."""
    try:
        header = pq.read_schema(folder / NAME).metadata or {}
        fingerprint: str = json.loads(header[_KEY])["fingerprint"]
    except (pa.ArrowException, OSError, KeyError, ValueError):
        return None
    return fingerprint
