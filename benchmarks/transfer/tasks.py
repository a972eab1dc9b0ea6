"""The three tasks: pneumonia on X-rays, tumour on patches of PatchCamelyon, µm per pixel on tissue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import IMAGES, RESULTS, data_root
from benchmarks.sources import TRAINED_ON
from benchmarks.splits import scanners_of_cases
from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.config.training import TransferConfig
from wsi_scale.learning.fields import read_kept_out
from wsi_scale.learning.labelled import read_labelled_images
from wsi_scale.transfer.judge import paired_difference
from wsi_scale.transfer.task import LabelledImages, Split

#: Name → table below the data folder, and side of the images.
TABLES = {"xray": ("xray/xray.tsv", 64), "pcam": ("patches/pcam.tsv", 64), "mpp": ("tissue/crops.tsv", 96)}
#: X-rays of the training and the validation part, by patient; the others test. Their table names one part only.
XRAY_PARTS = (300, 100)
#: Cases that the embedded network has not seen: where it is compared, all networks train and test on these alone.
UNSEEN = Path("configs/kept_out.tsv")
#: Keys of a paired difference in a row.
DIFFERENCES = ("difference", "difference_low", "difference_high")
#: Split of what no table splits, the same for all seeds of training.
SPLIT_SEED = 0


@dataclass(frozen=True)
class Size:
    """How much of a task is used.

    Attributes
    ----------
    training, validation
        Images at most.
    tiles
        Tiles drawn of tissue to train on, and to test.
    epochs, rounds, batch
        Of pruning: as many epochs as three rounds of four would take.
    tuning_epochs
        Of tuning, at most.
    """

    training: int = 200
    validation: int = 100
    tiles: int = 200
    epochs: int = 1
    rounds: int = 12
    batch: int = 4
    tuning_epochs: int = 8


@dataclass(frozen=True)
class Places:
    """Where data are read and results are kept.

    Attributes
    ----------
    root
        The data.
    results, images
        Tables with what belongs to them, and figures.
    """

    root: Path
    results: Path = RESULTS
    images: Path = IMAGES

    @classmethod
    def usual(cls) -> "Places":
        """Take data as the environment names them, and results where the other benchmarks keep theirs."""
        return cls(data_root())


QUICK = Size()
FULL = Size(training=10_000, validation=10_000, tiles=1500, epochs=2, batch=16)
#: Of the larger run of tuning: what two cores do in a few hours.
TUNED = Size(training=400, validation=200, tiles=400, tuning_epochs=12)


def settings_of(
    places: Places, task: str, size: Size, seed: int, *, keep_fraction: float = 0.05, unseen: bool = False
) -> TransferConfig:
    """Configure a task as `wsi-scale prune` takes it; ``unseen`` keeps to cases new to the embedded network."""
    table, side_px = TABLES[task]
    return TransferConfig(
        data=places.root / table,
        kept_out=_seen_cases(places) if unseen and task == "mpp" else None,
        side_px=side_px,
        tiles=size.tiles,
        keep_fraction=keep_fraction,
        epochs=size.epochs,
        rounds=size.rounds,
        batch=size.batch,
        tuning_epochs=size.tuning_epochs,
        seed=seed,
    )


def load_task(places: Places, task: str, size: Size, *, unseen: bool = False) -> tuple[LabelledImages, Split]:
    """Read a task's images and who trains, validates and tests; all test images there are."""
    settings = settings_of(places, task, size, SPLIT_SEED, unseen=unseen)
    examples, split = read_labelled_images(settings)
    if task == "xray":
        order = np.random.default_rng(SPLIT_SEED).permutation(len(examples.target))
        parts = np.split(order, np.cumsum(XRAY_PARTS))
        split = Split(*(np.sort(part) for part in parts))
    training = few(split.training, examples, size.training)
    return examples, replace(split, training=training, validation=few(split.validation, examples, size.validation))


def few(rows: NDArray[np.int64], examples: LabelledImages, most: int) -> NDArray[np.int64]:
    """At most so many rows, classes in equal shares as far as they go."""
    if len(rows) <= most:
        return rows
    mixed = np.random.default_rng(SPLIT_SEED).permutation(rows)
    if not examples.classes:
        return np.sort(mixed[:most])
    share = most // len(examples.classes)
    return np.sort(np.concatenate([mixed[examples.target[mixed] == c][:share] for c in range(len(examples.classes))]))


def _seen_cases(places: Places) -> Path:
    """Table of the cases that trained the embedded network."""
    seen = sorted(set(scanners_of_cases(places.root, TRAINED_ON)) - read_kept_out(UNSEEN))
    target = places.results / "seen_by_embedded.tsv"
    with replacing_file(target) as part:
        part.write_text("\n".join(["case", *seen]) + "\n", encoding="utf-8")
    return target


def mean_of(jobs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Mean of a figure over jobs; None where the task has no such figure."""
    values = [job[key] for job in jobs]
    return None if values[0] is None else round(float(np.mean(values)), 4)


def joined(
    jobs: Sequence[Mapping[str, Any]], baseline: Sequence[Mapping[str, Any]], examples: LabelledImages, split: Split
) -> dict[str, Any]:
    """Put the seeds of one network together: the difference is to a baseline's, on the same test images."""
    metrics = np.array([job["metric"] for job in jobs])
    ours, theirs = ([np.array(job["outputs"]) for job in some] for some in (jobs, baseline))
    difference, low, high = paired_difference(
        ours, theirs, examples.target[split.test], examples.groups[split.test], examples.classes
    )
    return {
        "metric_name": jobs[0]["metric_name"],
        "metric": round(float(metrics.mean()), 4),
        "spread": round(float(metrics.std(ddof=1)), 4) if len(metrics) > 1 else 0.0,
        "difference": round(difference, 4),
        "difference_low": round(low, 4),
        "difference_high": round(high, 4),
        "test_images": len(split.test),
        "seeds": len(jobs),
    }
