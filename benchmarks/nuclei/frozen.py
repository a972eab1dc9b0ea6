"""Heads on frozen features, ridge with and without a Gaussian kernel, at the last layer or at the best one.

Both arms search the same grid; the pruned one also chooses its layer, by the same validation patients.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from benchmarks.nuclei.patches import PATCH_PX, Patches, Split, read_patches, split_patients
from benchmarks.nuclei.responses import NetworkResponses, read_responses
from benchmarks.nuclei.store import Answer, stored, validation_error, within
from wsi_scale.magnification.features import log_features

SEEDS = tuple(range(5))
NETWORKS = ("vgg19", "squeezenet1_1", "embedded")
HEADS = ("linear", "kernel")
TARGETS = ("log area", "area")
ARMS = ("full", "pruned")
#: Penalties of the linear head, and of the kernel head with its widths (gamma times the number of features).
RIDGE_ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
KERNEL_ALPHAS = (0.01, 0.1, 1.0)
KERNEL_GAMMAS = (0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Candidate:
    """A fitted head.

    Attributes
    ----------
    layer, setting
        What it reads, and its parameters.
    area_px2
        Areas predicted for all patches that were not trained on, one column a target, (patch, target).
    """

    layer: str
    setting: dict[str, float]
    area_px2: NDArray[np.float64]


def frozen_answers(root: Path) -> list[Answer]:
    """Fit all heads on all networks and splits, and answer on the test patients."""
    answers: list[Answer] = []
    for dataset in PATCH_PX:
        patches = read_patches(root, dataset)
        for name in NETWORKS:
            responses = read_responses(name, patches)
            for head in HEADS:
                for seed in SEEDS:
                    answers += head_answers(patches, responses, head, seed)
            print(f"{dataset}: {name} done", flush=True)
    return answers


def head_answers(patches: Patches, responses: NetworkResponses, head: str, seed: int) -> list[Answer]:
    """Both arms and targets of one head on one split, from the store where they are there."""
    kept = stored(
        f"{patches.dataset}-{responses.name}-{head}-{seed}",
        lambda: choose(patches, responses, head, split_patients(patches.patient, seed)),
        patches=patches.digest,
        network=responses.digest,
        grid=(RIDGE_ALPHAS, KERNEL_ALPHAS, KERNEL_GAMMAS),
    )
    fitted = (patches.dataset, responses.name, head)
    return [
        Answer(*fitted, row["target"], seed, row["arm"], row["layer"], row["setting"], np.array(row["area_px2"]))
        for row in kept
    ]


def choose(patches: Patches, responses: NetworkResponses, head: str, split: Split) -> list[dict[str, Any]]:
    """For each arm and target, the candidate that the validation patients prefer, and its answers on the test."""
    outside = ~split.train
    validating, tested = split.validation[outside], split.test[outside]
    candidates = list(fit_candidates(patches, responses, head, split))
    rows = []
    for arm in ARMS:
        allowed = [each for each in candidates if arm == "pruned" or each.layer == responses.last]
        for column, target in enumerate(TARGETS):
            errors = [
                validation_error(target, each.area_px2[validating, column], patches.area_px2[split.validation])
                for each in allowed
            ]
            best = allowed[int(np.argmin(errors))]
            row = {"arm": arm, "target": target, "layer": best.layer, "setting": best.setting}
            rows.append(row | {"area_px2": best.area_px2[tested, column].round(4).tolist()})
    return rows


def fit_candidates(patches: Patches, responses: NetworkResponses, head: str, split: Split) -> Iterator[Candidate]:
    """Fit a head with every setting of the grid at every layer, to both targets at once."""
    fit = {"linear": _linear_heads, "kernel": _kernel_heads}[head]
    training = patches.area_px2[split.train]
    targets = np.stack([np.log2(training), training], axis=1)
    means = targets.mean(axis=0)
    for layer, pooled in responses.pooled.items():
        features = log_features({layer: pooled})
        scaler = StandardScaler().fit(features[split.train])
        seen, unseen = (scaler.transform(features[rows]) for rows in (split.train, ~split.train))
        for setting, answers in fit(seen, targets - means, unseen):
            log2_area, area = (answers + means).T
            highest = np.log2(training.max())
            columns = [within(np.exp2(np.minimum(log2_area, highest)), training), within(area, training)]
            yield Candidate(layer, setting, np.stack(columns, axis=1))


Fits = Iterator[tuple[dict[str, float], NDArray[np.float64]]]


def _linear_heads(seen: NDArray[np.float64], targets: NDArray[np.float64], unseen: NDArray[np.float64]) -> Fits:
    for alpha in RIDGE_ALPHAS:
        yield {"alpha": alpha}, Ridge(alpha=alpha).fit(seen, targets).predict(unseen)


def _kernel_heads(seen: NDArray[np.float64], targets: NDArray[np.float64], unseen: NDArray[np.float64]) -> Fits:
    for gamma in KERNEL_GAMMAS:
        within_seen = rbf_kernel(seen, gamma=gamma / seen.shape[1])
        across = rbf_kernel(unseen, seen, gamma=gamma / seen.shape[1])
        for alpha in KERNEL_ALPHAS:
            fitted = KernelRidge(alpha=alpha, kernel="precomputed").fit(within_seen, targets)
            yield {"gamma": gamma, "alpha": alpha}, fitted.predict(across)
