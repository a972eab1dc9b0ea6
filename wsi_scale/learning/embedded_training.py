"""Training of the embedded network: fields of known mpp → its weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from wsi_scale.artifacts.checkpoint import kept_work, read_checkpoint, write_checkpoint
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.config.training import TrainingConfig
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.prefetch import prefetch
from wsi_scale.learning.distillation import TeacherResponses, teacher_responses
from wsi_scale.learning.drawn_tiles import training_span
from wsi_scale.learning.fields import fields_identity, read_fields, read_kept_out, split_validation
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.density import normalise_density
from wsi_scale.magnification.out_of_distribution import draw_out_of_distribution
from wsi_scale.magnification.sampling import SourceField, draw_batch
from wsi_scale.magnification.training import ChainRegressor, mean_log2_mpp, scale_loss
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS
from wsi_scale.networks.preprocessing import normalise
from wsi_scale.transfer.loop import Batch, LoopHooks, LoopSettings, LoopState, Objective, train

#: Name of the network in a training's folder; its checkpoint lies beside it.
NETWORK = "embedded.safetensors"
#: Name of the teacher's responses there, and the weight of the distillation in the loss.
TEACHER_RESPONSES, DISTILLATION_WEIGHT = "teacher.npz", 4.0
#: Side of the tiles that the configured batch counts, pixels.
BATCH_PX = 128
#: Share of tiles brought to one density, as the regressor sees them; search and extraction see them as they are.
LEVELLED = 0.75
#: Share of tiles that show no tissue, and the photographs among them: scikit-image's own.
OUT_OF_DISTRIBUTION = 0.1
PHOTOGRAPHS = (
    "clock_motion.png", "coins.png", "color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg",
    "logo.png", "moon.png", "motorcycle_left.png", "motorcycle_right.png", "phantom.png", "rocket.jpg",
)  # fmt: skip
#: Batches of the fixed validation set.
VALIDATION_STEPS = 32


@lru_cache(maxsize=1)
def photographs() -> tuple[NDArray[np.uint8], ...]:
    """Photographs that scikit-image brings along, (row, col, rgb); none of those is an image of tissue."""
    folder = files("skimage") / "data"
    return tuple(np.asarray(Image.open(str(folder / name)).convert("RGB")) for name in PHOTOGRAPHS)


@dataclass(frozen=True)
class _Material:
    """What a network is trained and validated on, and a digest of that and of how."""

    training: list[SourceField]
    validation: list[SourceField]
    teacher: TeacherResponses | None
    fingerprint: str


def train_embedded(
    config: TrainingConfig,
    folder: Path,
    compute: Compute,
    *,
    on_start: Callable[[int, int], None] = lambda *_: None,
    on_step: Callable[[float], None] = lambda _: None,
) -> LoopState:
    """Train the embedded network, continuing from the folder's checkpoint of this very training where there is one.

    Parameters
    ----------
    folder
        Where checkpoints are kept.
    compute
        Device, threads, and the dtype that convolutions are computed in; weights stay float32.
    on_start
        Called with the first epoch and the number of steps in all.
    on_step
        Called with each step's loss.
    """
    material = _material(config, folder, compute)
    teacher = material.teacher
    compute.use_threads()
    torch.manual_seed(config.seed)
    model = ChainRegressor(EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS, teacher.features.shape[1] if teacher else 0)
    model = model.to(compute.torch_device).to(memory_format=torch.channels_last)
    checkpoint = kept_work(folder / NETWORK, material.fingerprint)
    state = read_checkpoint(checkpoint, LoopState) if checkpoint.exists() else None
    on_start(state.epoch if state else 0, config.epochs * config.steps)
    fixed = list(_batches(material.validation, None, config, epoch=-1, steps=VALIDATION_STEPS))
    objective = Objective(
        lambda epoch: prefetch(_batches(material.training, teacher, config, epoch, config.steps), depth=4),
        lambda network, batch: _loss(network, batch, compute),
        lambda network: _median_error(network, fixed, compute),
    )
    return train(
        model,
        objective,
        LoopSettings(
            config.epochs,
            config.steps,
            config.learning_rate,
            config.weight_decay,
            patience=config.patience,
            seed=config.seed,
            averaging=config.averaging,
        ),
        LoopHooks(state, lambda current: write_checkpoint(checkpoint, current), on_step),
    )


def _material(config: TrainingConfig, folder: Path, compute: Compute) -> _Material:
    kept_out = read_kept_out(config.kept_out)
    everything = read_fields(config.fields, stain=config.stain)
    training, validation = split_validation(
        [field for field in everything if field.group not in kept_out], config.validation_share, config.seed
    )
    teacher = None
    if config.teacher:
        path = config.teacher_responses or folder / TEACHER_RESPONSES
        teacher = teacher_responses(everything, config, compute, path).without(
            kept_out | {field.group for field in validation}
        )
    print_ = fingerprint(
        "train", training=fields_identity(training), validation=fields_identity(validation), kept_out=sorted(kept_out),
        settings=config.model_dump(mode="json", exclude={"fields", "kept_out", "teacher_responses"}),
        teacher_responses=teacher.fingerprint if teacher else None, device=compute.device, dtype=compute.dtype,
    )  # fmt: skip
    return _Material(training, validation, teacher, print_)


def _batches(
    fields: list[SourceField], teacher: TeacherResponses | None, config: TrainingConfig, epoch: int, steps: int
) -> Iterator[Batch]:
    span, augmentation = training_span(config), Augmentation(positivity=config.positivity)
    for step in range(steps):
        rng = np.random.default_rng((config.seed, epoch + 1, step))
        tile_px = int(rng.choice(config.tile_px))
        count = max(2, round(config.batch * (BATCH_PX / tile_px) ** 2))
        tiles, truth, _ = draw_batch(fields, span, tile_px, count, rng, augmentation)
        for index in np.flatnonzero(rng.random(count) < OUT_OF_DISTRIBUTION):
            tiles[index], truth[index] = draw_out_of_distribution(tiles[index], photographs(), rng), np.nan
        levelled = rng.random(count) < LEVELLED
        tiles[levelled] = normalise_density(tiles[levelled])
        drawn = normalise(torch.from_numpy(tiles)), torch.from_numpy(truth)
        yield drawn if teacher is None else (*drawn, *_teacher_batch(teacher, config.batch, rng))


def _teacher_batch(teacher: TeacherResponses, count: int, rng: np.random.Generator) -> Batch:
    rows = rng.integers(len(teacher.tiles), size=count)
    # Turned and mirrored: the teacher's mean responses hardly change.
    tiles = np.rot90(teacher.tiles[rows], k=int(rng.integers(4)), axes=(1, 2))
    tiles = np.ascontiguousarray(tiles[:, ::-1] if rng.random() < 0.5 else tiles)
    truth, features = teacher.log2_mpp[rows], teacher.features[rows]
    return normalise(torch.from_numpy(tiles)), torch.from_numpy(truth), torch.from_numpy(features)


def _loss(model: nn.Module, batch: Batch, compute: Compute) -> torch.Tensor:
    tiles, truth, *taught = batch
    loss = scale_loss(_logits(model, tiles, compute), truth.to(compute.torch_device))
    if taught and isinstance(model, ChainRegressor):
        seen, log2_mpp, features = (part.to(compute.torch_device) for part in taught)
        with compute.precision():
            logits, predicted = model.with_teacher(seen.to(memory_format=torch.channels_last))
        loss = loss + scale_loss(logits.float(), log2_mpp)
        loss = loss + DISTILLATION_WEIGHT * nn.functional.mse_loss(predicted.float(), features)
    return loss


def _logits(model: nn.Module, tiles: torch.Tensor, compute: Compute) -> torch.Tensor:
    with compute.precision():
        logits: torch.Tensor = model(tiles.to(compute.torch_device, memory_format=torch.channels_last))
    return logits.float()


def _median_error(model: nn.Module, batches: list[Batch], compute: Compute) -> float:
    said = [(mean_log2_mpp(_logits(model, tiles, compute)).cpu(), truth) for tiles, truth in batches]
    return float(torch.cat([(mean - truth).abs() for mean, truth in said]).nanmedian())
