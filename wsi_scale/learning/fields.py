"""Fields of known mpp from tables, and the cases that each part of a training sees."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wsi_scale.errors import ConfigError
from wsi_scale.magnification.sampling import SourceField


def read_table(table: Path, key: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table (.csv by commas, others by tabs), whose rows all have a value in ``columns``.

    Parameters
    ----------
    key
        The setting that names it, for errors.

    Raises
    ------
    ConfigError
        It cannot be read, has no rows or no such column, or a row leaves one empty.
    """
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: cannot read {table} ({error})") from error
    rows = list(csv.DictReader(lines, delimiter="," if table.suffix.lower() == ".csv" else "\t", restval=""))
    if not rows:
        raise ConfigError(f"{key}: {table} holds no rows")
    check_columns(rows, table, key, columns)
    return rows


def check_columns(rows: Sequence[Mapping[str, str]], table: Path, key: str, columns: Sequence[str]) -> None:
    """Refuse rows of a table that lack one of ``columns`` or leave it empty (ConfigError, as :func:`read_table`)."""
    for column in columns:
        if column not in rows[0]:
            raise ConfigError(f"{key}: {table} needs a column {column}")
        if empty := next((number for number, row in enumerate(rows, 2) if not row[column].strip()), None):
            raise ConfigError(f"{key}: line {empty} of {table} has no value in its column {column}")


def read_fields(tables: tuple[Path, ...], *, stain: str | None, key: str = "training.fields") -> list[SourceField]:
    """Read the images that tables name, with their mpp and case.

    Parameters
    ----------
    stain
        The one that is wanted; a table without such a column is taken whole.
    key
        The setting that names the tables, for errors.

    Raises
    ------
    ConfigError
        A table or an image cannot be read, or there is no field of that stain.
    """
    fields = []
    for table in tables:
        for row in read_table(table, key, ("file", "case", "mpp")):
            if stain is None or row.get("stain", stain) == stain:
                try:
                    image = np.asarray(Image.open(table.parent / row["file"]).convert("RGB"))
                    fields.append(SourceField(image, float(row["mpp"]), row["case"], row.get("stain", "")))
                except (OSError, ValueError) as error:
                    raise ConfigError(f"{key}: cannot use {row['file']} of {table} ({error})") from error
    if not fields:
        raise ConfigError(f"{key}: no field of stain {stain!r} in {', '.join(map(str, tables)) or 'no table'}")
    return fields


def fields_identity(fields: Sequence[SourceField]) -> str:
    """Digest of fields in their order: images, µm per pixel and cases."""
    digest = hashlib.sha256()
    for field in fields:
        digest.update(repr((field.group, field.mpp, field.stain, field.image.shape)).encode())
        digest.update(np.ascontiguousarray(field.image).data)
    return digest.hexdigest()[:32]


def read_kept_out(table: Path | None) -> frozenset[str]:
    """Read the cases that are never trained on."""
    if table is None:
        return frozenset()
    return frozenset(row["case"] for row in read_table(table, "kept_out", ("case",)))


def split_validation(fields: list[SourceField], share: float, seed: int) -> tuple[list[SourceField], list[SourceField]]:
    """Split fields by case into training and validation."""
    cases = sorted({field.group for field in fields})
    count = max(1, round(share * len(cases)))
    chosen = set(np.random.default_rng(seed).permutation(cases)[:count])
    return [f for f in fields if f.group not in chosen], [f for f in fields if f.group in chosen]
