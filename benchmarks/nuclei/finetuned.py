"""Networks fine-tuned end to end on log area: pooled last or chosen layer, one linear output, all layers trained.

The cut is the layer whose frozen responses the validation patients read log area from best by a line: the published
rule, a linear probe (Graziani et al. 2021), on the task's own data. Both arms search the same rates, and the epoch by
early stopping; where the probe chooses the last layer the two arms are one fit.
"""

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.cache import compute_here
from benchmarks.nuclei.frozen import SEEDS, head_answers
from benchmarks.nuclei.patches import PATCH_PX, Patches, Split, read_patches, split_patients, turned
from benchmarks.nuclei.responses import NetworkResponses, read_responses
from benchmarks.nuclei.store import Answer, stored, validation_error, within
from wsi_scale.networks.preprocessing import normalise
from wsi_scale.transfer.loop import Batch, LoopSettings, Objective, train

RATES = (1e-4, 3e-4, 1e-3)
EPOCHS, STEPS, BATCH, PATIENCE = 8, 25, 24, 3
#: Patches in a pass without gradients.
PASS = 64
READING, TARGET = "fine-tuned", "log area"


class AreaRegressor(nn.Module):
    """A network up to one layer, its spatial means, and a linear output: images → log2 area.

    The means are first brought to zero mean and unit spread by what the pretrained network answers on the training
    patches, so that one learning rate suits layers of any magnitude; the model stays pooling and a line.

    Parameters
    ----------
    trunk, layer
        Images → {layer: map}, and the layer's name.
    pooled
        Spatial means of the pretrained layer on the training patches, (patch, channel).
    start
        Mean log2 area of the training patches, the first answer.
    """

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, trunk: nn.Module, layer: str, pooled: NDArray[np.float32], start: float) -> None:
        super().__init__()
        self.trunk, self.layer = trunk, layer
        self.register_buffer("mean", torch.from_numpy(pooled.mean(axis=0)))
        # A channel that is silent on these patches has no spread to divide by.
        self.register_buffer("spread", torch.from_numpy(np.maximum(pooled.std(axis=0), 1e-3)))
        self.out = nn.Linear(pooled.shape[1], 1)
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, start)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (n, 3, h, w) to log2 area (n,)."""
        pooled = self.trunk(images)[self.layer].mean(dim=(2, 3))
        log2_area: torch.Tensor = self.out((pooled - self.mean) / self.spread)[:, 0]
        return log2_area


def networks_here() -> tuple[str, ...]:
    """Networks that are fine-tuned on this machine: VGG19 only where there is a GPU."""
    return ("squeezenet1_1", "embedded", *(("vgg19",) if torch.cuda.is_available() else ()))


def finetuned_answers(root: Path) -> list[Answer]:
    """Fine-tune all networks on all splits in both arms, and answer on the test patients."""
    answers: list[Answer] = []
    for dataset in PATCH_PX:
        patches = read_patches(root, dataset)
        for name in networks_here():
            responses = read_responses(name, patches)
            for seed in SEEDS:
                answers += both_arms(patches, responses, seed)
                print(f"{dataset}: {name}, seed {seed} done", flush=True)
    return answers


def both_arms(patches: Patches, responses: NetworkResponses, seed: int) -> list[Answer]:
    """Fit both arms of a network on one split with every rate; the validation patients choose."""
    probes = {each.arm: each for each in head_answers(patches, responses, "linear", seed) if each.target == TARGET}
    answers = []
    for arm, probe in probes.items():
        fits = [one_fit(patches, responses, probe.layer, seed, rate) for rate in RATES]
        best = min(fits, key=lambda fit: fit["validation_error"])
        setting = {"rate": best["rate"], "epoch": best["epoch"]}
        fitted = (patches.dataset, responses.name, READING, TARGET, seed, arm)
        answers.append(Answer(*fitted, probe.layer, setting, np.array(best["area_px2"])))
    return answers


def one_fit(patches: Patches, responses: NetworkResponses, layer: str, seed: int, rate: float) -> dict[str, Any]:
    """Fine-tune once, from the store where it is there."""
    fit: dict[str, Any] = stored(
        f"{patches.dataset}-{responses.name}-tuned-{layer}-{seed}-{rate:g}",
        lambda: finetune(patches, responses, layer, split_patients(patches.patient, seed), rate),
        patches=patches.digest,
        network=responses.digest,
        schedule=(EPOCHS, STEPS, BATCH, PATIENCE),
    )
    return fit


def finetune(patches: Patches, responses: NetworkResponses, layer: str, split: Split, rate: float) -> dict[str, Any]:
    """Fine-tune a network cut at a layer; the epoch that the validation patients like best stays."""
    begun = time.perf_counter()
    device = compute_here().device
    training = patches.area_px2[split.train]
    model = regressor(responses, layer, split, np.log2(training)).to(device).to(memory_format=torch.channels_last)
    objective = Objective(
        lambda epoch: training_batches(patches, split, epoch, device),
        lambda regressor, batch: nn.functional.mse_loss(regressor(batch[0]), batch[1]),
        lambda regressor: validation_error(
            TARGET,
            within(predict(regressor, patches.images[split.validation], device), training),
            patches.area_px2[split.validation],
        ),
    )
    schedule = LoopSettings(EPOCHS, STEPS, learning_rate=rate, patience=PATIENCE, seed=split.seed)
    state = train(model, objective, schedule)
    return {
        "rate": rate,
        "epoch": state.best_epoch,
        "epochs_run": state.epoch,
        "validation_error": state.best_score,
        "validation_errors": [score for _, score in state.history],
        "seconds": round(time.perf_counter() - begun, 1),
        "area_px2": within(predict(model, patches.images[split.test], device), training).round(4).tolist(),
    }


def regressor(responses: NetworkResponses, layer: str, split: Split, log2_area: NDArray[np.float64]) -> AreaRegressor:
    """Put a regressor on a copy of the network, cut at a layer, all of it trainable."""
    # A copy, because weights that need no conversion are shared with the source.
    trunk = copy.deepcopy(responses.source.tapped([layer]).trunk).requires_grad_(True)
    return AreaRegressor(trunk, layer, responses.pooled[layer][split.train], float(log2_area.mean()))


def training_batches(patches: Patches, split: Split, epoch: int, device: str) -> Iterator[Batch]:
    """Batches of an epoch: training patches drawn without repetition, each batch in one symmetry of the square."""
    rng = np.random.default_rng((split.seed, epoch))
    rows = rng.permutation(np.flatnonzero(split.train))[: STEPS * BATCH]
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        images = torch.from_numpy(turned(patches.images[chosen], int(rng.integers(8)))).to(device)
        log2_area = torch.from_numpy(np.log2(patches.area_px2[chosen]).astype(np.float32)).to(device)
        yield normalise(images), log2_area


def predict(model: nn.Module, images: NDArray[np.uint8], device: str) -> NDArray[np.float64]:
    """Areas that a model in evaluation mode predicts, px², (patch,)."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), PASS):
            tensor = torch.from_numpy(images[start : start + PASS]).to(device)
            parts.append(model(normalise(tensor)).double().cpu().numpy())
    areas: NDArray[np.float64] = np.exp2(np.concatenate(parts))
    return areas
