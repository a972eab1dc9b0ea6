"""What the trainings on labelled images start from: the task, where it is computed, and where work is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsi_scale.artifacts.checkpoint import kept_work
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.config.models import Config
from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.learning.labelled import images_identity, read_labelled_images
from wsi_scale.networks.network import Network
from wsi_scale.transfer.task import LabelledImages, Split, Task, task_of


@dataclass(frozen=True)
class TransferTask:
    """All that pruning for a task, or tuning on it, starts from.

    Attributes
    ----------
    images, task, compute
        Labelled images, what is learnt of them, and where.
    described
        The task, as a network file describes it.
    checkpoint
        Where state is left: no other network, configuration, images or device lead to the same file.
    """

    images: LabelledImages
    task: Task
    compute: Compute
    described: dict[str, Any]
    checkpoint: Path


def prepare_task(config: Config, stage: str, network: Network, output: Path, **how: object) -> TransferTask:
    """Read the labelled images of ``transfer.data``; what would fail at the end is refused before.

    Parameters
    ----------
    how
        What tells this run from others of its stage, beside network, settings and images.

    Raises
    ------
    ConfigError
        The output cannot be a file, the network cannot take images of that size, or there are no labelled images.
    """
    settings = config.transfer
    if output.is_dir():
        raise ConfigError(
            f"--output {output} is a folder; name the file to write, such as {output / 'small.safetensors'}"
        )
    if settings.side_px < network.min_px:
        raise ConfigError(
            f"transfer.side_px: {network.name} takes images of {network.min_px} px and more, not {settings.side_px}"
        )
    images, split = read_labelled_images(settings)
    compute = resolve(config.execution)
    described = describe_task(images, split, settings)
    print_ = fingerprint(
        stage, network=network.digest, settings=settings.model_dump(mode="json"), images=described["digest"],
        device=compute.device, dtype=compute.dtype, **how,
    )  # fmt: skip
    task = task_of(images, split, settings.side_px, compute)
    return TransferTask(images, task, compute, described, kept_work(output, print_))


def describe_task(images: LabelledImages, split: Split, settings: TransferConfig) -> dict[str, Any]:
    """Describe a task for a network file: where its images are, which they were, and how many each part has."""
    return {
        "data": str(settings.data),
        "digest": images_identity(images, split),
        "classes": list(images.classes),
        "rows": {part: len(rows) for part, rows in vars(split).items()},
    }
