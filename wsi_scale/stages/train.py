"""Stage `train`: fields of known mpp → the embedded network's weights."""

import csv
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from wsi_scale.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsi_scale.config.models import TrainingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.prefetch import prefetch
from wsi_scale.magnification.augment import Recipe
from wsi_scale.magnification.sampling import SourceField, Span, draw_batch
from wsi_scale.magnification.strangers import draw_stranger
from wsi_scale.magnification.training import ChainRegressor, mean_log2_mpp, scale_loss
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS
from wsi_scale.networks.preprocessing import normalise
from wsi_scale.transfer.loop import Batch, LoopSettings, LoopState, train

#: Name of the checkpoint in a training's folder.
CHECKPOINT = "checkpoint.safetensors"
#: Side of the tiles that the configured batch counts, pixels.
BATCH_PX = 128
#: Share of tiles that show no tissue, and the photographs among them: scikit-image's own.
STRANGERS = 0.1
PHOTOGRAPHS = (
    "clock_motion.png", "coins.png", "color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg",
    "logo.png", "moon.png", "motorcycle_left.png", "motorcycle_right.png", "phantom.png", "rocket.jpg",
)  # fmt: skip
#: Batches of the fixed validation set.
VALIDATION_STEPS = 12


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


@lru_cache(maxsize=1)
def photographs() -> tuple[NDArray[np.uint8], ...]:
    """Photographs that scikit-image brings along, (row, col, rgb); none of those is an image of tissue."""
    folder = files("skimage") / "data"
    return tuple(np.asarray(Image.open(str(folder / name)).convert("RGB")) for name in PHOTOGRAPHS)


def split_validation(fields: list[SourceField], share: float, seed: int) -> tuple[list[SourceField], list[SourceField]]:
    """Split fields by case into training and validation."""
    cases = sorted({field.group for field in fields})
    count = max(1, round(share * len(cases)))
    chosen = set(np.random.default_rng(seed).permutation(cases)[:count])
    return [f for f in fields if f.group not in chosen], [f for f in fields if f.group in chosen]


def train_embedded(
    config: TrainingConfig,
    folder: Path,
    compute: Compute,
    *,
    on_start: Callable[[int, int], None] = lambda *_: None,
    on_step: Callable[[float], None] = lambda _: None,
) -> ChainRegressor:
    """Train the embedded network, continuing from the folder's checkpoint where there is one.

    Parameters
    ----------
    folder
        Where the checkpoint is kept.
    compute
        Device, threads, and the dtype that convolutions are computed in; weights stay float32.
    on_start
        Called with the first epoch and the number of steps in all.
    on_step
        Called with each step's loss.
    """
    kept_out = read_kept_out(config.kept_out)
    fields = [f for f in read_fields(config.fields, stain=config.stain) if f.group not in kept_out]
    training, validation = split_validation(fields, config.validation_share, config.seed)
    torch.set_num_threads(compute.threads)
    torch.manual_seed(config.seed)
    model = ChainRegressor(EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS)
    model = model.to(compute.device).to(memory_format=torch.channels_last)
    checkpoint = folder / CHECKPOINT
    state = read_checkpoint(checkpoint, LoopState) if checkpoint.exists() else None
    on_start(state.epoch if state else 0, config.epochs * config.steps)
    fixed = list(_batches(validation, config, epoch=-1, steps=VALIDATION_STEPS))
    train(
        model,
        lambda epoch: prefetch(_batches(training, config, epoch, config.steps), depth=4),
        lambda network, batch: scale_loss(_logits(network, batch[0], compute), batch[1].to(compute.device)),
        lambda network: _median_error(network, fixed, compute),
        LoopSettings(
            config.epochs,
            config.steps,
            config.learning_rate,
            config.weight_decay,
            patience=config.patience,
            seed=config.seed,
            averaging=config.averaging,
        ),
        state=state,
        on_epoch=lambda current: write_checkpoint(checkpoint, current),
        on_step=on_step,
    )
    return model


def _batches(fields: list[SourceField], config: TrainingConfig, epoch: int, steps: int) -> Iterator[Batch]:
    span = Span(config.mpp_range, config.wider_mpp_range, config.wider_share)
    for step in range(steps):
        rng = np.random.default_rng((config.seed, epoch + 1, step))
        tile_px = int(rng.choice(config.tile_px))
        count = max(2, round(config.batch * (BATCH_PX / tile_px) ** 2))
        tiles, truth, _ = draw_batch(fields, span, tile_px, count, rng, Recipe())
        for index in np.flatnonzero(rng.random(count) < STRANGERS):
            tiles[index], truth[index] = draw_stranger(tiles[index], photographs(), rng), np.nan
        yield normalise(torch.from_numpy(tiles)), torch.from_numpy(truth)


def _logits(model: nn.Module, tiles: torch.Tensor, compute: Compute) -> torch.Tensor:
    with torch.autocast(compute.device, torch.bfloat16, enabled=compute.dtype == "bfloat16"):
        logits: torch.Tensor = model(tiles.to(compute.device, memory_format=torch.channels_last))
    return logits.float()


def _median_error(model: nn.Module, batches: list[Batch], compute: Compute) -> float:
    said = [(mean_log2_mpp(_logits(model, tiles, compute)).cpu(), truth) for tiles, truth in batches]
    return float(torch.cat([(mean - truth).abs() for mean, truth in said]).nanmedian())
