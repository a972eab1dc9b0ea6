"""Who trains, validates and tests: rows of labelled images split by group."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wsi_scale.errors import ConfigError
from wsi_scale.transfer.task import Split

#: How parts of a split are called, in tables and as folders.
PARTS = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
PART_OF = {name: part for part, names in PARTS.items() for name in names}
#: Shares of groups where nothing says how to split.
TEST_SHARE, VALIDATION_SHARE = 0.3, 0.2
#: Seed of splits and drawn tiles, whatever seed a training has: what one training learnt from never tests the next.
SPLIT_SEED = 0
#: What is asked for where a split cannot be drawn.
ENOUGH_GROUPS = "give three of each class at least (patients; images where no patient is named), or a column split"


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
