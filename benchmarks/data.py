"""Where benchmarks read and write, and what they do with tables and images alike."""

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.learning.fields import read_table

RESULTS = Path("results/bench")
#: Figures of the documentation.
IMAGES = Path("docs/images")


def data_root() -> Path:
    """Folder of real tissue and weights, or exit 1 with one line."""
    named = os.environ.get("WSI_SCALE_DATA")
    if not named or not Path(named).is_dir():
        print("error: this target needs real tissue and weights; set WSI_SCALE_DATA to their folder", file=sys.stderr)
        raise SystemExit(1)
    return Path(named)


def read_rows(table: Path) -> list[dict[str, str]]:
    """Read a table of images (column ``file``), one row an image."""
    return read_table(table, "table", ("file",))


def mosaic(images: list[NDArray[np.uint8]], cols: int) -> NDArray[np.uint8]:
    """Lay images of one size side by side, row by row."""
    rows = [np.concatenate(images[start : start + cols], axis=1) for start in range(0, len(images), cols)]
    return np.concatenate(rows)
