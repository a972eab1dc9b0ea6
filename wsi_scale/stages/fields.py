"""Fields of known mpp from tables, and who may see which case."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from wsi_scale.errors import ConfigError
from wsi_scale.magnification.sampling import SourceField


def read_fields(tables: tuple[Path, ...], *, stain: str | None) -> list[SourceField]:
    """Read the images that tables name, with their mpp and case.

    Raises
    ------
    ConfigError
        A table is missing or holds no field of that stain.
    """
    fields = []
    for table in tables:
        try:
            rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        except OSError as error:
            raise ConfigError(f"training.fields: cannot read {table} ({error.strerror})") from error
        for row in rows:
            if stain is None or row["stain"] == stain:
                image = np.asarray(Image.open(table.parent / row["file"]).convert("RGB"))
                fields.append(SourceField(image, float(row["mpp"]), row["case"]))
    if not fields:
        raise ConfigError(
            f"training.fields: no field of stain {stain!r} in {', '.join(map(str, tables)) or 'no table'}"
        )
    return fields


def read_kept_out(table: Path | None) -> frozenset[str]:
    """Read the cases that are never trained on."""
    if table is None:
        return frozenset()
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines(), delimiter="\t")
    return frozenset(row["case"] for row in rows)


def split_validation(fields: list[SourceField], share: float, seed: int) -> tuple[list[SourceField], list[SourceField]]:
    """Split fields by case into training and validation."""
    cases = sorted({field.group for field in fields})
    count = max(1, round(share * len(cases)))
    chosen = set(np.random.default_rng(seed).permutation(cases)[:count])
    return [f for f in fields if f.group not in chosen], [f for f in fields if f.group in chosen]
