"""`finetune`: a network and labelled images → the same network, its top blocks tuned, with a head."""

from dataclasses import dataclass
from pathlib import Path

import torch

from wsi_scale.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsi_scale.config.models import Config
from wsi_scale.config.training import TransferConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.progress import progress
from wsi_scale.learning.transfer_task import prepare_task
from wsi_scale.networks.architectures import Architecture
from wsi_scale.networks.cut import header_up_to
from wsi_scale.networks.file import write_network_file
from wsi_scale.networks.load import find_network
from wsi_scale.transfer.depth import Depth, Tuning, at_depth, finetune
from wsi_scale.transfer.judge import TaskScores, judge_outputs
from wsi_scale.transfer.learner import Learner
from wsi_scale.transfer.loop import LoopHooks, LoopState
from wsi_scale.transfer.task import compute_once


@dataclass(frozen=True)
class Finetuned:
    """A tuned network.

    Attributes
    ----------
    network
        The file.
    classes
        Of the task; () for log2 mpp.
    depth, blocks
        Blocks that were tuned, of how many.
    epochs
        Epochs trained, and the one that was kept.
    scores
        On the test images.
    """

    network: Path
    classes: tuple[str, ...]
    depth: int
    blocks: int
    epochs: tuple[int, int]
    scores: TaskScores


def finetune_network(
    config: Config, network: str, weights: Path | None, output: Path, *, depth: int, truncate: bool = False
) -> Finetuned:
    """Tune the top ``depth`` blocks and a new head on ``transfer.data``, and write a network file.

    Parameters
    ----------
    depth
        0 trains the head alone. With ``truncate`` the lowest ``depth`` blocks are kept and tuned, and the rest is
        cut away (Peng et al. 2023).

    Raises
    ------
    ConfigError
        The network has no such depth, or there are no labelled images.
    """
    settings = config.transfer
    source = find_network(network, weights)
    known = source.architecture
    ends = ends_of(known, depth, truncate=truncate)
    tapped = source.tapped(ends)
    work = prepare_task(config, "finetune", tapped, output, depth=depth)
    task, checkpoint, classes = work.task, work.checkpoint, work.images.classes
    parts = at_depth(tapped, ends, depth)
    state = read_checkpoint(checkpoint, LoopState) if checkpoint.exists() else None
    with progress("finetune", settings.tuning_epochs, unit="epochs") as advance:
        advance(0 if state is None else state.epoch)

        def on_epoch(now: LoopState) -> None:
            nonlocal state
            state = now
            write_checkpoint(checkpoint, now)
            advance(1)

        learner, inputs = finetune(parts, task, tuning_of(settings), work.compute, LoopHooks(state, on_epoch))
    outputs = compute_once(learner, inputs, task.split.test, work.compute).numpy()
    scores = judge_outputs(outputs, work.images.target[task.split.test], classes)
    epochs = (state.epoch, state.best_epoch + 1) if state else (0, 0)
    provenance = {
        "made_by": "wsi-scale finetune",
        "parent": tapped.name,
        "parent_digest": tapped.digest,
        "task": work.described,
        "settings": settings.model_dump(mode="json", exclude={"data"}),
        "depth": depth,
        "truncated": truncate,
        "epochs": epochs,
        "scores": vars(scores),
        "history": [] if state is None else [[round(value, 5) for value in row] for row in state.history],
    }
    header = header_up_to(known, ends[-1], f"{known.name}_tuned{depth}", provenance)
    write_network_file(output, header, state_of(parts, learner))
    checkpoint.unlink(missing_ok=True)
    return Finetuned(output, classes, depth, len(ends), epochs, scores)


def ends_of(known: Architecture, depth: int, *, truncate: bool) -> tuple[str, ...]:
    """Last layers of the blocks that a network consists of when it is tuned.

    Raises
    ------
    ConfigError
        The network has fewer blocks.
    """
    ends, order = known.block_ends, list(known.nodes)
    if not ends or order.index(known.feature_layer) > order.index(ends[-1]):
        # It was cut within a block: what is left of that is its last one.
        ends = (*ends, known.feature_layer)
    least = 1 if truncate else 0
    if not least <= depth <= len(ends):
        raise ConfigError(f"--depth {depth}: {known.name} has {len(ends)} blocks; give {least} to {len(ends)}")
    return ends[:depth] if truncate else ends


def tuning_of(settings: TransferConfig) -> Tuning:
    """Read from a configuration how a network is tuned."""
    return Tuning(
        settings.tuning_epochs,
        settings.batch,
        settings.patience,
        settings.seed,
        settings.tuning_rate,
        settings.block_decay,
        settings.batch_norm,
    )


def state_of(parts: Depth, learner: Learner) -> dict[str, torch.Tensor]:
    """Weights of the whole network and its head, under torchvision's names."""
    state: dict[str, torch.Tensor] = {}
    for part in (parts.lower, parts.upper):
        if part is not None:
            state |= part.state_dict()
    return state | {f"head.{key}": value for key, value in learner.head.state_dict().items()}
