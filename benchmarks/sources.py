"""Images of known µm per pixel, as tables of crops and of nuclei list them: the one reader of such tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.cache import identity_of_file
from wsi_scale.learning.fields import read_table

#: Folders of the atlas that networks are compared on, and all that they may be trained on.
ATLAS, TRAINED_ON = ("tissue", "tissue_wide"), ("tissue", "tissue_wide", "tissue_more")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Source:
    """An image of known mpp.

    Attributes
    ----------
    path, mpp
        The image, µm per pixel.
    case, slide, organ, scanner, stain
        As the tables have them.
    name
        Data set by which figures are grouped.
    tissue_fraction
        Share of it that is tissue, where its table gives one.
    split
        Of the data set, where it has one.
    """

    path: Path
    mpp: float
    case: str
    slide: str
    organ: str
    scanner: str
    stain: str
    name: str
    tissue_fraction: float = 1.0
    split: str = ""

    def pixels(self) -> NDArray[np.uint8]:
        """Read the image, (row, col, rgb)."""
        return np.asarray(Image.open(self.path).convert("RGB"))

    @property
    def identity(self) -> list[Any]:
        """What is made of the image depends on its content and its mpp."""
        return [identity_of_file(self.path), self.mpp]


def read_sources(table: Path, name: str | None = None) -> list[Source]:
    """Read a table of images (columns file, case, mpp; slide, organ, scanner, stain, source_set, tissue_fraction)."""
    return [
        Source(
            table.parent / row["file"],
            float(row["mpp"]),
            row["case"],
            slide=row.get("slide") or row["case"],
            organ=row.get("organ", ""),
            # In brackets stands how it is known.
            scanner=row.get("scanner", "").partition(" (")[0] or UNKNOWN,
            stain=row.get("stain", "H&E"),
            name=name or row.get("source_set") or row.get("dataset") or table.parent.name,
            tissue_fraction=float(row.get("tissue_fraction") or 1),
            split=row.get("split", ""),
        )
        for row in read_table(table, "table", ("file", "case", "mpp"))
    ]


def read_crops(root: Path, folders: Sequence[str] = ATLAS, *, stain: str | None = "H&E") -> list[Source]:
    """Read the crops of some folders of the data, of one stain or of all; figures take them as one data set."""
    found = [source for folder in folders for source in read_sources(root / folder / "crops.tsv", "tissue")]
    return [source for source in found if stain in (None, source.stain)]
