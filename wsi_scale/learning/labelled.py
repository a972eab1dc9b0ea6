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

from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.learning.fields import check_columns, read_fields, read_kept_out, read_table
from wsi_scale.learning.splits import ENOUGH_GROUPS, PART_OF, SPLIT_SEED, split_rows
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.sampling import Span, draw_batch
from wsi_scale.transfer.task import LabelledImages, Split

#: Images that are read.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
#: Columns that name what a split keeps together; the first that a table has counts.
GROUP_COLUMNS = ("group", "patient", "case", "slide")
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


class ImageReader:
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
                        f"transfer.data: {item.path} has more than 8 bits a channel; save it with 8, and all "
                        "images with the same window"
                    )
                squared = image.convert("RGB").resize((self._side, self._side), Image.Resampling.LANCZOS)
        except (OSError, KeyError, UnidentifiedImageError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"transfer.data: cannot read {item.path} ({error}); remove it or save it again"
            ) from error
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
    examples = LabelledImages(ImageReader(items, config.side_px), target, groups, classes)
    split = split_rows([item.part for item in items], groups, [item.label for item in items])
    for part, rows in vars(split).items():
        if missing := set(range(len(classes))) - set(target[rows].tolist()):
            raise ConfigError(f"transfer.data: no {classes[min(missing)]!r} for {part} in {source}; {ENOUGH_GROUPS}")
    return examples, split


def images_identity(examples: LabelledImages, split: Split) -> str:
    """Digest of labels, groups, split and a sample of the images: the state of one task is never used for another."""
    digest = hashlib.sha256("\n".join(examples.groups).encode())
    sample = split.training[:: max(1, len(split.training) // SAMPLE)]
    for array in (examples.target, *vars(split).values(), examples.images(sample)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _items_of_folder(folder: Path) -> list[Item]:
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    split = [path for path in found if path.name.lower() in PART_OF]
    roots = [(path, PART_OF[path.name.lower()]) for path in split] or [(folder, "")]
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
        if part and part not in PART_OF:
            raise ConfigError(
                f"transfer.data: line {number} of {table} has split {part!r}; give {', '.join(PART_OF)} or nothing"
            )
        group = row[column] or row["file"]
        where, inside = (Path(row["file"]), archive) if packed else (path, None)
        items.append(Item(where, inside, row["label"], group, PART_OF.get(part, "")))
    return items


def _drawn_tiles(table: Path, config: TransferConfig) -> tuple[LabelledImages, Split]:
    """Tiles of fields of known mpp, drawn once and augmented, so that neither blur nor JPEG gives the scale away."""
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
