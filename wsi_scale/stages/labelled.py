"""Labelled images: a folder for each class, a table, or fields of known mpp from which tiles are drawn."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wsi_scale.config.models import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.magnification.augment import Recipe
from wsi_scale.magnification.sampling import Span, draw_batch
from wsi_scale.stages.fields import read_fields, read_kept_out
from wsi_scale.transfer.learner import Examples, Split

#: Images that are read.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
#: Columns that name what a split keeps together; the first that a table has counts.
GROUP_COLUMNS = ("group", "patient", "case", "slide")
#: How parts of a split are called, in tables and as folders.
PARTS = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_PART_OF = {name: part for part, names in PARTS.items() for name in names}
#: Shares of groups where nothing says how to split.
TEST_SHARE, VALIDATION_SHARE = 0.3, 0.2
#: Images, about, by which a task is told from another.
SAMPLE = 16
#: Decoded images that are kept in memory, bytes at most.
KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Item:
    """One labelled image: a file, or a member of an archive."""

    path: Path
    archive: Path | None
    label: str
    group: str
    part: str


class Images:
    """Rows → images (n, side, side, rgb), squared; read when they are asked for, and kept where memory allows."""

    def __init__(self, items: Sequence[Item], side_px: int) -> None:
        self._items = items
        self._side = side_px
        keep = len(items) * side_px**2 * 3 <= KEPT_BYTES
        self._kept: dict[int, NDArray[np.uint8]] | None = {} if keep else None
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read rows.

        Raises
        ------
        ConfigError
            An image is missing or damaged.
        """
        return np.stack([self._one(int(row)) for row in rows])

    def _one(self, row: int) -> NDArray[np.uint8]:
        if self._kept is not None and row in self._kept:
            return self._kept[row]
        item = self._items[row]
        try:
            with Image.open(io.BytesIO(self._bytes(item))) as image:
                squared = image.convert("RGB").resize((self._side, self._side), Image.Resampling.LANCZOS)
        except (OSError, KeyError, UnidentifiedImageError) as error:
            raise ConfigError(f"transfer.data: cannot read {item.path} ({error}); take it out or mend it") from error
        pixels = np.asarray(squared)
        if self._kept is not None:
            self._kept[row] = pixels
        return pixels

    def _bytes(self, item: Item) -> bytes:
        if item.archive is None:
            return item.path.read_bytes()
        if item.archive not in self._archives:
            self._archives[item.archive] = zipfile.ZipFile(item.archive)
        return self._archives[item.archive].read(item.path.as_posix())


def read_examples(config: TransferConfig) -> tuple[Examples, Split]:
    """Read what ``transfer.data`` names, and split it.

    A folder holds one folder for each class, or such folders below train, validation and test. A table (.tsv, .csv)
    has the columns ``file`` (beside it, or in a .zip of its name) and ``label``, and may have ``split`` and one of
    group, patient, case, slide. A table with ``mpp`` and no ``label`` names fields, from which tiles are drawn.

    Raises
    ------
    ConfigError
        Nothing is named, nothing is there, or there is one class only.
    """
    source = config.data
    if source is None:
        raise ConfigError("transfer.data: name a folder with a folder for each class, or a table (.tsv, .csv)")
    if source.is_dir():
        items = _items_of_folder(source)
    else:
        rows = _rows(source)
        if "label" not in rows[0] and "mpp" in rows[0]:
            return _drawn_tiles(source, config)
        items = _items_of_table(source, rows)
    classes = tuple(sorted({item.label for item in items}))
    if len(classes) < 2:
        raise ConfigError(f"transfer.data: {source} holds {len(classes)} class of images; two at least are needed")
    target = np.array([classes.index(item.label) for item in items])
    groups = np.array([item.group for item in items])
    examples = Examples(Images(items, config.side_px), target, groups, classes)
    return examples, split_rows([item.part for item in items], groups, config.seed)


def examples_identity(examples: Examples, split: Split) -> str:
    """Digest of labels, groups, split and a sample of the images: another task never goes on from this one's state."""
    digest = hashlib.sha256("\n".join(examples.groups).encode())
    sample = split.training[:: max(1, len(split.training) // SAMPLE)]
    for array in (examples.target, *vars(split).values(), examples.images(sample)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def split_rows(parts: Sequence[str], groups: NDArray[np.str_], seed: int) -> Split:
    """Split rows as their parts say; what they do not say is drawn by group.

    Parameters
    ----------
    parts
        One a row: a key of :data:`PARTS`, or "". Parts count where there are rows of training and of test.
    """
    whole = {"training", "test"} <= set(parts)
    named = np.array(parts if whole else ["training"] * len(groups), dtype=f"U{max(map(len, PARTS))}")
    if not whole:
        _assign(named, groups, TEST_SHARE, "test", (seed, 1))
    if "validation" not in named:
        _assign(named, groups, VALIDATION_SHARE, "validation", (seed, 2))
    return Split(*(np.flatnonzero(named == part) for part in ("training", "validation", "test")))


def _assign(named: NDArray[np.str_], groups: NDArray[np.str_], share: float, part: str, seed: tuple[int, int]) -> None:
    """Give a share of the groups in training to another part."""
    mine = np.unique(groups[named == "training"])
    if len(mine) < 3:
        raise ConfigError(f"transfer.data: {len(mine)} groups to split; give three at least, or a column split")
    chosen = np.random.default_rng(seed).permutation(mine)[: max(1, round(share * len(mine)))]
    named[(named == "training") & np.isin(groups, chosen)] = part


def _items_of_folder(folder: Path) -> list[Item]:
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    split = [path for path in found if path.name.lower() in _PART_OF]
    roots = [(path, _PART_OF[path.name.lower()]) for path in split] or [(folder, "")]
    items = []
    for root, part in roots:
        for label in sorted(path for path in root.iterdir() if path.is_dir()):
            files = sorted(path for path in label.rglob("*") if path.suffix.lower() in SUFFIXES)
            items += [Item(path, None, label.name, str(path.relative_to(folder)), part) for path in files]
    if not items:
        raise ConfigError(f"transfer.data: {folder} holds no folders of images ({', '.join(SUFFIXES)})")
    return items


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"transfer.data: cannot read {table} ({error})") from error
    rows = list(csv.DictReader(lines, delimiter="," if table.suffix.lower() == ".csv" else "\t"))
    if not rows or "file" not in rows[0] or not {"label", "mpp"} & set(rows[0]):
        raise ConfigError(f"transfer.data: {table} needs the columns file and label, or file, case, stain and mpp")
    return rows


def _items_of_table(table: Path, rows: Sequence[Mapping[str, str]]) -> list[Item]:
    column = next((name for name in GROUP_COLUMNS if name in rows[0]), "file")
    archive = table.with_suffix(".zip")
    items = []
    for row in rows:
        path = table.parent / row["file"]
        packed = not path.is_file() and archive.is_file()
        part = _PART_OF.get(row.get("split", "").lower(), "")
        items.append(
            Item(Path(row["file"]) if packed else path, archive if packed else None, row["label"], row[column], part)
        )
    return items


def _drawn_tiles(table: Path, config: TransferConfig) -> tuple[Examples, Split]:
    """Tiles of fields of known mpp, drawn once: disguised, so that neither blur nor JPEG gives the scale away."""
    kept_out = read_kept_out(config.kept_out)
    fields = [field for field in read_fields((table,), stain=config.stain) if field.group not in kept_out]
    rng = np.random.default_rng((config.seed, 3))
    span = Span(config.mpp_range, config.mpp_range, 0.0)
    groups = np.array([field.group for field in fields])
    split = split_rows([""] * len(fields), groups, config.seed)
    counts = {"training": config.tiles, "validation": config.tiles // 3, "test": config.tiles}
    drawn = [
        draw_batch([fields[row] for row in getattr(split, part)], span, config.side_px, count, rng, Recipe())
        for part, count in counts.items()
    ]
    images, target = (np.concatenate([part[place] for part in drawn]) for place in (0, 1))
    cases = np.array([case for part in drawn for case in part[2]])
    rows = np.split(np.arange(len(target)), np.cumsum(list(counts.values()))[:-1])
    return Examples(lambda chosen: images[chosen], target, cases, ()), Split(*rows)
