"""Pruning methods: importance of channels or basis vectors, and their removal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import fx, nn

from wsi_scale.networks.graph import ChannelFlow
from wsi_scale.transfer import basis, channels
from wsi_scale.transfer.budget import Kept
from wsi_scale.transfer.learner import Learner


class PruningMethod(Protocol):
    """A pruning method."""

    @property
    def least_score(self) -> float:
        """Channels or vectors with a lower score are always removed."""

    def attach(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy, frozen except for the importance scales."""

    def scales(self, trunk: fx.GraphModule) -> list[nn.Parameter]:
        """List the importance scales."""

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Penalty on large scales; None if there is none."""

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Layer → importance of its channels or vectors."""

    def parameters(self, trunk: fx.GraphModule, kept: Kept) -> int:
        """Parameters of the convolutions where only some stay."""

    def remove(self, learner: Learner, kept: Kept) -> Learner:
        """Remove the others."""

    def fold(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy of plain convolutions."""


@dataclass(frozen=True)
class ChannelScaling:
    """Wong et al. 2021: scales behind ReLUs, their L1 norm, a threshold.

    Attributes
    ----------
    flow
        Of the trunk.
    weight
        Of the mean scale in the loss.
    costs
        Convolution → what each of its channels counts in that mean.
    least_score
        Scale below which a channel is always removed.
    """

    flow: ChannelFlow
    weight: float
    costs: Mapping[str, float]
    least_score: float = channels.DEAD

    def attach(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy with a scale of 1 behind every ReLU."""
        return channels.attach_scales(trunk, self.flow)

    def scales(self, trunk: fx.GraphModule) -> list[nn.Parameter]:
        """List the scales."""
        return [channels.scale_of(trunk, site).scale for site in self.flow.activated]

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Weighted mean of the scales."""
        return self.weight * channels.penalty_of(trunk, self.flow, self.costs)

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Score a channel by its scale."""
        return channels.scales_of(cast(fx.GraphModule, learner.trunk), self.flow)

    def parameters(self, trunk: fx.GraphModule, kept: Kept) -> int:
        """Parameters of the convolutions where only some channels stay."""
        return channels.parameters_kept(trunk, self.flow, kept)

    def remove(self, learner: Learner, kept: Kept) -> Learner:
        """Remove the other channels."""
        return channels.narrow_learner(learner, self.flow, kept)

    def fold(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Multiply the scales into the convolutions before them."""
        return channels.fold_scales(trunk, self.flow)


@dataclass(frozen=True)
class Magnitude(ChannelScaling):
    """The control: channels go by the L1 norm of their filters (Li et al. 2017), whatever the task.

    Attributes
    ----------
    sizes
        Convolution → mean size of its weights before anything was removed. Norms are compared with it in every round:
        against what is left, the small filters of a thinned layer would look small again, and again.
    """

    sizes: Mapping[str, float] = field(kw_only=True)

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Nothing is punished."""
        return None

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Norms of the filters, for each weight, over their whole layer's mean."""
        sizes = channels.filter_sizes(cast(fx.GraphModule, learner.trunk), self.flow)
        return {conv: values / self.sizes[conv] for conv, values in sizes.items()}


@dataclass(frozen=True)
class BasisScaling:
    """Wong et al. 2024: factors of orthonormal filters, first-order Taylor importance."""

    least_score: float = 0.0

    def attach(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Return a copy of split convolutions."""
        return cast(fx.GraphModule, basis.attach_bases(trunk))

    def scales(self, trunk: fx.GraphModule) -> list[nn.Parameter]:
        """List the factors."""
        return [split.scale for split in basis.bases_of(trunk).values()]

    def penalty(self, trunk: fx.GraphModule) -> torch.Tensor | None:
        """Nothing is punished."""
        return None

    def scores(self, learner: Learner, losses: Sequence[Callable[[], torch.Tensor]]) -> Mapping[str, torch.Tensor]:
        """Taylor importance for each parameter."""
        return basis.taylor_importance(learner.trunk, losses)

    def parameters(self, trunk: fx.GraphModule, kept: Kept) -> int:
        """Parameters of the convolutions where only some vectors stay."""
        return basis.parameters_kept(trunk, kept)

    def remove(self, learner: Learner, kept: Kept) -> Learner:
        """Remove the other vectors."""
        basis.remove_vectors(learner.trunk, kept)
        return learner

    def fold(self, trunk: fx.GraphModule) -> fx.GraphModule:
        """Multiply the factors in; split only where that is smaller."""
        # Traced again, so that the two halves of a split convolution are steps of the graph.
        return fx.symbolic_trace(basis.fold_bases(trunk)).eval()
