"""VGG-shaped networks as a plan of widths: the embedded default, VGG16/19 and what pruning makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.vgg import make_layers

Plan = Sequence[int | Literal["M"]]

#: The embedded network: 3 × 3 convolutions as in VGG, thin enough for a CPU (465 k parameters).
EMBEDDED_PLAN: tuple[int | Literal["M"], ...] = (16, "M", 32, 32, "M", 64, 64, "M", 96, 96, "M", 128, 128)


@dataclass(frozen=True)
class ChainTap:
    """The activated output of one convolution.

    Attributes
    ----------
    name
        ``C<block>_<convolution>``, as PAPERS of the field write it (C4_4 is VGG19's last before pool 4).
    index
        Position of its ReLU in the chain.
    channels, stride
        Width of the map and input pixels per map pixel.
    """

    name: str
    index: int
    channels: int
    stride: int


def chain_taps(plan: Plan) -> tuple[ChainTap, ...]:
    """Every activated convolution of a plan without batch norm, shallow to deep."""
    taps, index, block, conv = [], 0, 1, 0
    for step in plan:
        if step == "M":
            index, block, conv = index + 1, block + 1, 0
            continue
        conv += 1
        taps.append(ChainTap(f"C{block}_{conv}", index + 1, int(step), 2 ** (block - 1)))
        index += 2
    return tuple(taps)


def build_chain(plan: Plan, *, batch_norm: bool = False) -> nn.Sequential:
    """Build the convolutions of a plan with torchvision's own VGG builder."""
    layers: nn.Sequential = make_layers(list(plan), batch_norm=batch_norm)
    return layers


def fold_batch_norm(layers: nn.Sequential) -> nn.Sequential:
    """Fold each batch norm into the convolution before it (inference statistics); other modules stay."""
    folded: list[nn.Module] = []
    for module in layers:
        if isinstance(module, nn.BatchNorm2d):
            conv = folded.pop()
            if not isinstance(conv, nn.Conv2d):
                raise TypeError("a batch norm without a convolution before it cannot be folded")
            folded.append(fuse_conv_bn_eval(conv.eval(), module.eval()))
        else:
            folded.append(module)
    return nn.Sequential(*folded)


def plan_of(state: dict[str, torch.Tensor], pools_after: Sequence[int]) -> tuple[int | Literal["M"], ...]:
    """Read a plan from the shapes of a chain's weights.

    Parameters
    ----------
    state
        Weights named ``<index>.weight`` with torchvision's indices.
    pools_after
        Indices of the max-pools.
    """
    convs = {int(k.split(".")[0]): int(v.shape[0]) for k, v in state.items() if k.endswith("weight")}
    steps: dict[int, int | Literal["M"]] = {**convs, **dict.fromkeys(pools_after, "M")}
    return tuple(steps[index] for index in sorted(steps))


class ChainRegressor(nn.Module):
    """A chain in training: log-pooled activations of several blocks → mean and log variance of log2 mpp.

    The convolutions carry batch norm while they train; :func:`fold_batch_norm` removes it afterwards.
    """

    def __init__(self, plan: Plan = EMBEDDED_PLAN, blocks: Sequence[int] = (2, 3, 4, 5)) -> None:
        super().__init__()
        self.features = build_chain(plan, batch_norm=True)
        ends = block_ends(plan, batch_norm=True)
        self.ends = [ends[block - 1] for block in blocks]
        widths = [last_width(plan, block) for block in blocks]
        self.norm = nn.BatchNorm1d(sum(widths))
        self.head = nn.Linear(sum(widths), 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images (n, 3, h, w) to (n, 2): mean of log2 mpp, log variance."""
        pooled = []
        for index, module in enumerate(self.features):
            images = module(images)
            if index in self.ends:
                pooled.append(torch.log(images.mean(dim=(2, 3)) + 1e-3))
        output: torch.Tensor = self.head(self.norm(torch.cat(pooled, dim=1)))
        return output


def block_ends(plan: Plan, *, batch_norm: bool) -> list[int]:
    """Index of the last ReLU of each block."""
    per_conv = 3 if batch_norm else 2
    index, ends = -1, []
    for step, following in pairwise([*plan, "M"]):
        index += 1 if step == "M" else per_conv
        if step != "M" and following == "M":
            ends.append(index)
    return ends


def last_width(plan: Plan, block: int) -> int:
    """Width of the last convolution of a block (1 is the first)."""
    groups: list[list[int]] = [[]]
    for step in plan:
        if step == "M":
            groups.append([])
        else:
            groups[-1].append(int(step))
    return groups[block - 1][-1]
