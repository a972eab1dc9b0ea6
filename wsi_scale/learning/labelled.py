"""Labelled images: a folder for each class, a table, or fields of known mpp from which tiles are drawn."""

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
from wsi_scale.learning.fields import check_columns, read_fields, read_kept_out, read_table
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.sampling import Span, draw_batch
from wsi_scale.transfer.task import LabelledImages, Split

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
#: Seed of splits and drawn tiles, whatever seed a training has: what one training learnt from never tests the next.
SPLIT_SEED = 0
#: What is asked for where a split cannot be drawn.
ENOUGH_GROUPS = "give three of each class at least (patients; images where no patient is named), or a column split"
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
                if image.mode[0] in "IF":
                    raise ConfigError(
                        f"transfer.data: {item.path} has more than 8 bits a channel; save it with 8, and all images "
                        "with one window"
                    )
                squared = image.convert("RGB").resize((self._side, self._side), Image.Resampling.LANCZOS)
        except (OSError, KeyError, UnidentifiedImageError, zipfile.BadZipFile) as error:
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


def read_labelled_images(config: TransferConfig) -> tuple[LabelledImages, Split]:
    """Read what ``transfer.data`` names, and split it.

    A folder holds one folder for each class, or such folders below train, validation and test; a folder within a class
    is a group, such as a patient. A table (.tsv, .csv) has the columns ``file`` (beside it, or in a .zip of its name)
    and ``label``, and may have ``split`` and one of group, patient, case, slide. A table with ``mpp`` and no ``label``
    names fields, from which tiles are drawn.

    Raises
    ------
    ConfigError
        Nothing is named, nothing is there, there is one class only, or a class is missing in a part of the split.
    """
    source = config.data
    if source is None:
        raise ConfigError("transfer.data: name a folder with a folder for each class, or a table (.tsv, .csv)")
    if source.is_dir():
        items = _items_of_folder(source)
    else:
        rows_read = read_table(source, "transfer.data", ("file",))
        if "label" not in rows_read[0] and "mpp" in rows_read[0]:
            return _drawn_tiles(source, config)
        items = _items_of_table(source, rows_read)
    classes = tuple(sorted({item.label for item in items}))
    if len(classes) < 2:
        raise ConfigError(f"transfer.data: {source} holds {len(classes)} class of images; two at least are needed")
    target = np.array([classes.index(item.label) for item in items])
    groups = np.array([item.group for item in items])
    examples = LabelledImages(Images(items, config.side_px), target, groups, classes)
    split = split_rows([item.part for item in items], groups, [item.label for item in items])
    for part, rows in vars(split).items():
        if missing := set(range(len(classes))) - set(target[rows].tolist()):
            raise ConfigError(f"transfer.data: no {classes[min(missing)]!r} for {part} in {source}; {ENOUGH_GROUPS}")
    return examples, split


def images_identity(examples: LabelledImages, split: Split) -> str:
    """Digest of labels, groups, split and a sample of the images: another task never goes on from this one's state."""
    digest = hashlib.sha256("\n".join(examples.groups).encode())
    sample = split.training[:: max(1, len(split.training) // SAMPLE)]
    for array in (examples.target, *vars(split).values(), examples.images(sample)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def split_rows(parts: Sequence[str], groups: NDArray[np.str_], labels: Sequence[str]) -> Split:
    """Split rows as their parts say; a part that they do not name is drawn from training, by group.

    Parameters
    ----------
    parts
        One a row: a key of :data:`PARTS`, or "" for training.
    groups
        (row,) what stays together.
    labels
        One a row: groups of the same labels are drawn in the same share.

    Raises
    ------
    ConfigError
        There are too few groups.
    """
    named = np.array([part or "training" for part in parts], dtype=f"U{max(map(len, PARTS))}")
    if "training" not in named:
        raise ConfigError("transfer.data: its split leaves nothing for training")
    labels_of = _labels_of(groups, labels)
    for number, (part, share) in enumerate((("test", TEST_SHARE), ("validation", VALIDATION_SHARE)), 1):
        if part not in named:
            chosen = _drawn_groups(groups[named == "training"], labels_of, share, (SPLIT_SEED, number))
            named[(named == "training") & np.isin(groups, chosen)] = part
    return Split(*(np.flatnonzero(named == part) for part in ("training", "validation", "test")))


def _labels_of(groups: NDArray[np.str_], labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Group → the labels in it."""
    found: dict[str, set[str]] = {}
    for group, label in zip(groups.tolist(), labels, strict=True):
        found.setdefault(group, set()).add(label)
    return {group: tuple(sorted(each)) for group, each in found.items()}


def _drawn_groups(
    groups: NDArray[np.str_], labels: Mapping[str, tuple[str, ...]], share: float, seed: tuple[int, int]
) -> list[str]:
    """Draw a share of the groups of each combination of labels, one at least and never all."""
    rng = np.random.default_rng(seed)
    mine = np.unique(groups)
    chosen: list[str] = []
    for alike in sorted({labels[group] for group in mine.tolist()}):
        able = [group for group in mine.tolist() if labels[group] == alike]
        if len(able) > 1:
            chosen += rng.permutation(able)[: max(1, round(share * len(able)))].tolist()
    if not chosen:
        raise ConfigError(f"transfer.data: {len(mine)} groups to split; {ENOUGH_GROUPS}")
    return chosen


def _items_of_folder(folder: Path) -> list[Item]:
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    split = [path for path in found if path.name.lower() in _PART_OF]
    roots = [(path, _PART_OF[path.name.lower()]) for path in split] or [(folder, "")]
    items = []
    for root, part in roots:
        for label in sorted(path for path in root.iterdir() if path.is_dir()):
            files = sorted(path for path in label.rglob("*") if path.suffix.lower() in SUFFIXES)
            items += [Item(path, None, label.name, _group_of(path, label), part) for path in files]
    if not items:
        raise ConfigError(f"transfer.data: {folder} holds no folders of images ({', '.join(SUFFIXES)})")
    return items


def _group_of(path: Path, label: Path) -> str:
    """Folder of a class that an image lies in, such as a patient's; the image itself where there is none."""
    inside = path.relative_to(label).parts
    return inside[0] if len(inside) > 1 else f"{label.parent.name}/{label.name}/{inside[0]}"


def _items_of_table(table: Path, rows: Sequence[Mapping[str, str]]) -> list[Item]:
    check_columns(rows, table, "transfer.data", ("label",))
    column = next((name for name in GROUP_COLUMNS if name in rows[0]), "file")
    archive = table.with_suffix(".zip")
    items = []
    for number, row in enumerate(rows, 2):
        path = table.parent / row["file"]
        packed = not path.is_file() and archive.is_file()
        part = row.get("split", "").strip().lower()
        if part and part not in _PART_OF:
            raise ConfigError(
                f"transfer.data: line {number} of {table} has split {part!r}; say {', '.join(_PART_OF)} or nothing"
            )
        group = row[column] or row["file"]
        where, inside = (Path(row["file"]), archive) if packed else (path, None)
        items.append(Item(where, inside, row["label"], group, _PART_OF.get(part, "")))
    return items


def _drawn_tiles(table: Path, config: TransferConfig) -> tuple[LabelledImages, Split]:
    """Tiles of fields of known mpp, drawn once: disguised, so that neither blur nor JPEG gives the scale away."""
    kept_out = read_kept_out(config.kept_out)
    every = read_fields((table,), stain=config.stain, key="transfer.data")
    fields = [field for field in every if field.group not in kept_out]
    rng = np.random.default_rng((SPLIT_SEED, 3))
    span = Span(config.mpp_range, config.mpp_range, 0.0)
    groups = np.array([field.group for field in fields])
    split = split_rows([""] * len(fields), groups, [""] * len(fields))
    counts = {"training": config.tiles, "validation": config.tiles // 3, "test": config.tiles}
    try:
        drawn = [
            draw_batch([fields[row] for row in getattr(split, part)], span, config.side_px, count, rng, Augmentation())
            for part, count in counts.items()
        ]
    except ValueError as error:
        raise ConfigError(f"transfer.data: {error}; set transfer.side_px or transfer.mpp_range lower") from error
    images, target = (np.concatenate([part[place] for part in drawn]) for place in (0, 1))
    cases = np.array([case for part in drawn for case in part[2]])
    rows = np.split(np.arange(len(target)), np.cumsum(list(counts.values()))[:-1])
    return LabelledImages(lambda chosen: images[chosen], target, cases, ()), Split(*rows)
