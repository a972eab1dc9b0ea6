"""Modules that are trained to predict µm per pixel: a chain of convolutions with a head, or a head alone."""

from collections.abc import Sequence

import torch
from torch import nn

from wsi_scale.magnification.features import FLOOR
from wsi_scale.magnification.head import BIN_CENTRES, Head
from wsi_scale.networks.chain import ChainPlan, build_chain, chain_taps

#: Spread of the soft label about the truth, octaves: less than a bin, so that a bin apart is wrong.
LABEL_OCTAVES = 0.18
#: Error beyond which the loss on the mean grows no faster than linearly, octaves.
HUBER_OCTAVES = 0.5


class HeadModule(nn.Module):
    """A :class:`Head` in training: (n, feature) log features → (n, bin + 1) logits; the last is no tissue."""

    def __init__(self, features: int, hidden: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features, affine=False)
        self.hidden = nn.Linear(features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, len(BIN_CENTRES) + 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map log features (n, feature) to logits (n, bin + 1)."""
        return self.judge(self.norm(features))

    def judge(self, standard: torch.Tensor) -> torch.Tensor:
        """Map standardised features (n, feature) to logits (n, bin + 1)."""
        logits: torch.Tensor = self.out(self.dropout(torch.relu(self.hidden(standard))))
        return logits

    def export(self) -> Head:
        """Export the trained values as plain arrays."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        if mean is None or variance is None:
            raise TypeError("a head without running statistics cannot be exported")
        parts = {
            "mean": mean,
            "scale": torch.sqrt(variance + self.norm.eps),
            "hidden_weights": self.hidden.weight,
            "hidden_bias": self.hidden.bias,
            "weights": self.out.weight,
            "bias": self.out.bias,
        }
        arrays = {name: part.detach().cpu().double().numpy() for name, part in parts.items()}
        return Head.from_arrays(arrays | {"centres": BIN_CENTRES})


class ChainRegressor(nn.Module):
    """A chain in training: log-pooled activations of several layers → a distribution over log2 mpp.

    The convolutions carry batch norm while they train; folding removes it afterwards.

    Parameters
    ----------
    plan, layers
        The chain, and the layers whose pooled activations the head reads.
    teacher_features
        Number of a teacher's features that it also learns to predict (distillation); 0 without a teacher.
    """

    def __init__(self, plan: ChainPlan, layers: Sequence[str], teacher_features: int = 0) -> None:
        super().__init__()
        self.features = build_chain(plan, batch_norm=True)
        taps = {tap.name: place for place, tap in enumerate(chain_taps(plan))}
        ends = [index for index, module in enumerate(self.features) if isinstance(module, nn.ReLU)]
        widths = [tap.channels for tap in chain_taps(plan)]
        self.ends = tuple(ends[taps[name]] for name in layers)
        self.head = HeadModule(sum(widths[taps[name]] for name in layers))
        self.teacher_head = nn.Linear(self.head.hidden.in_features, teacher_features) if teacher_features else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (n, 3, h, w) to logits (n, bin + 1)."""
        logits: torch.Tensor = self.head(self.pooled(images))
        return logits

    def with_teacher(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map normalised images (n, 3, h, w) to logits (n, bin + 1) and predicted teacher features (n, feature)."""
        if self.teacher_head is None:
            raise TypeError("a regressor that was built without a teacher predicts no teacher features")
        standard = self.head.norm(self.pooled(images))
        return self.head.judge(standard), self.teacher_head(standard)

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (n, 3, h, w) to log-pooled activations (n, feature)."""
        pooled = []
        for index, module in enumerate(self.features):
            images = module(images)
            if index in self.ends:
                pooled.append(torch.log(images.float().mean(dim=(2, 3)) + FLOOR))
            if index == self.ends[-1]:
                break
        return torch.cat(pooled, dim=1)


def mean_log2_mpp(logits: torch.Tensor) -> torch.Tensor:
    """Mean of log2 mpp given that there is tissue: (n, bin + 1) → (n,)."""
    centres = torch.as_tensor(BIN_CENTRES, dtype=logits.dtype, device=logits.device)
    return torch.softmax(logits[:, :-1], dim=1) @ centres


def scale_loss(logits: torch.Tensor, log2_mpp: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against a soft label, and Huber's loss on the mean, so that far misses cost more than near ones.

    Parameters
    ----------
    logits
        (n, bin + 1).
    log2_mpp
        (n,); NaN for what is no tissue.
    """
    centres = torch.as_tensor(BIN_CENTRES, dtype=logits.dtype, device=logits.device)
    tissue = torch.isfinite(log2_mpp)
    truth = torch.where(tissue, log2_mpp, 0.0)
    label = torch.softmax(-0.5 * ((centres - truth[:, None]) / LABEL_OCTAVES) ** 2, dim=1) * tissue[:, None]
    entropy = nn.functional.cross_entropy(logits, torch.cat([label, (~tissue)[:, None].to(label)], dim=1))
    errors = nn.functional.huber_loss(mean_log2_mpp(logits), truth, delta=HUBER_OCTAVES, reduction="none")
    return entropy + 2 * (errors * tissue).mean()
