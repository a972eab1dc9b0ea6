"""Channel scaling: a trainable weight for each channel of frozen convolutions shows which channels a task needs.

Wong, Kashyap & Moradi (2021), "Channel Scaling", attach a trainable weight to each channel of every frozen
convolution, punish the weights' L1 norm, and remove channels whose weight falls below a threshold, round by round.
Details that the paper does not give are our choice, marked in the code: weights follow the ReLU and never fall below
zero, so that they fold into the convolution before it; the threshold of a round is the smallest that meets the
round's share of parameters.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import fx, nn

from wsi_scale.networks.graph import ChannelFlow, Site
from wsi_scale.networks.shapes import conv_like
from wsi_scale.transfer.budget import Kept
from wsi_scale.transfer.learner import Learner, LinearHead

#: Channels with a weight below are removed in any case: a hundredth of where they started.
DEAD = 0.01


class ScaledReLU(nn.Module):
    """ReLU, then a weight ≥ 0 for each channel.

    A weight that reaches zero stays there, and its channel counts as removed (own choice: negative weights would not
    fold into the convolution before the ReLU, nor pass a max-pool).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (n, channel, row, col) to the same shape."""
        return torch.relu(maps) * self.weights[:, None, None]

    @property
    def weights(self) -> torch.Tensor:
        """The effective weights, (channel,)."""
        return self.scale.clamp(min=0)


def attach_scales(trunk: fx.GraphModule, flow: ChannelFlow) -> fx.GraphModule:
    """Return a copy, frozen but for a weight of 1 behind every ReLU's channel."""
    scaled = copy.deepcopy(trunk).requires_grad_(False)
    for site in flow.activated:
        scaled.set_submodule(str(site.activation), ScaledReLU(convolution(scaled, site.conv).out_channels))
    return scaled


def fold_scales(trunk: fx.GraphModule, flow: ChannelFlow) -> fx.GraphModule:
    """Return a copy without scales, each multiplied into the convolution before it.

    Exact, as s · max(0, x) = max(0, s · x) for s ≥ 0.
    """
    folded = copy.deepcopy(trunk)
    with torch.no_grad():
        for site in flow.activated:
            scales, conv = scale_of(folded, site).weights, convolution(folded, site.conv)
            conv.weight.mul_(scales[:, None, None, None])
            if conv.bias is not None:
                conv.bias.mul_(scales)
            folded.set_submodule(str(site.activation), nn.ReLU())
    return folded


def scales_of(trunk: fx.GraphModule, flow: ChannelFlow) -> dict[str, torch.Tensor]:
    """Convolution → the weights of its channels, (channel,)."""
    return {site.conv: scale_of(trunk, site).weights.detach() for site in flow.activated}


def penalty_of(trunk: fx.GraphModule, flow: ChannelFlow, costs: Mapping[str, float]) -> torch.Tensor:
    """Mean of the channels' weights, each weighted by what its layer costs.

    Parameters
    ----------
    costs
        Convolution → weight of each of its channels: 1, or :func:`operation_costs`.
    """
    parts = [costs[site.conv] * scale_of(trunk, site).weights.sum() for site in flow.activated]
    return torch.stack(parts).sum() / sum(costs[s.conv] * scale_of(trunk, s).scale.numel() for s in flow.activated)


def parameters_kept(trunk: fx.GraphModule, flow: ChannelFlow, kept: Kept) -> int:
    """Parameters of the convolutions that are left when only some channels stay."""
    widths = {conv: int(mask.sum()) for conv, mask in kept.items()}
    total = 0
    for site in flow.sites:
        conv = convolution(trunk, site.conv)
        width = widths.get(site.conv, conv.out_channels)
        read = sum(widths.get(s, convolution(trunk, s).out_channels) for s in site.sources) or conv.in_channels
        total += width * (read * conv.kernel_size[0] * conv.kernel_size[1] + (conv.bias is not None))
    return total


def remove_channels(trunk: fx.GraphModule, flow: ChannelFlow, kept: Kept) -> fx.GraphModule:
    """Return a copy without the other channels: filters, the input slices of their readers, and scales."""
    narrow = copy.deepcopy(trunk)
    for site in flow.sites:
        old = convolution(trunk, site.conv)
        out = _kept_outputs(trunk, site.conv, kept)
        read = kept_inputs(trunk, site.sources, kept)
        weight = old.weight.detach()[out]
        weight = weight if read is None else weight[:, read]
        conv = conv_like(old, weight.shape[1], weight.shape[0], bias=old.bias is not None)
        conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), old.weight.requires_grad)
        if old.bias is not None:
            conv.bias = nn.Parameter(old.bias.detach()[out].clone(), old.bias.requires_grad)
        narrow.set_submodule(site.conv, conv)
        if site.activation is not None and isinstance(before := trunk.get_submodule(site.activation), ScaledReLU):
            scaled = ScaledReLU(int(out.sum()))
            scaled.scale = nn.Parameter(before.scale.detach()[out].clone(), before.scale.requires_grad)
            narrow.set_submodule(site.activation, scaled)
    return narrow


def kept_inputs(trunk: fx.GraphModule, sources: Sequence[str], kept: Kept) -> torch.Tensor | None:
    """Which channels of what ``sources`` give together stay, (channel,) bool; None where that is the image."""
    if not sources:
        return None
    return torch.cat([_kept_outputs(trunk, source, kept) for source in sources])


def _kept_outputs(trunk: fx.GraphModule, conv: str, kept: Kept) -> torch.Tensor:
    return kept.get(conv, torch.ones(convolution(trunk, conv).out_channels, dtype=torch.bool))


def narrow_head(head: LinearHead, read: torch.Tensor) -> LinearHead:
    """Head that reads only some of the features, and gives what the whole one gives where the others are zero."""
    narrow = LinearHead(int(read.sum()), head.linear.out_features)
    narrow.offset, narrow.mean, narrow.deviation = head.offset, head.mean[read], head.deviation[read]
    with torch.no_grad():
        silent = head.standardised(torch.zeros_like(head.mean))[~read]
        narrow.linear.weight.copy_(head.linear.weight[:, read])
        narrow.linear.bias.copy_(head.linear.bias + head.linear.weight[:, ~read] @ silent)
    return narrow


def mask_channels(trunk: fx.GraphModule, flow: ChannelFlow, kept: Kept) -> fx.GraphModule:
    """Return a copy of the same shape in which the other channels are zero: filters and biases."""
    masked = copy.deepcopy(trunk)
    with torch.no_grad():
        for site in flow.activated:
            conv = convolution(masked, site.conv)
            gone = ~kept[site.conv]
            conv.weight[gone] = 0
            if conv.bias is not None:
                conv.bias[gone] = 0
    return masked


def filter_sizes(trunk: fx.GraphModule, flow: ChannelFlow) -> dict[str, torch.Tensor]:
    """Convolution → L1 norm of each filter over the number of its weights, (channel,)."""
    return {
        site.conv: convolution(trunk, site.conv).weight.detach().abs().mean(dim=(1, 2, 3)) for site in flow.activated
    }


def mean_sizes(trunk: fx.GraphModule, flow: ChannelFlow) -> dict[str, float]:
    """Convolution → mean of its filters' sizes."""
    return {conv: float(values.mean()) for conv, values in filter_sizes(trunk, flow).items()}


def scale_of(trunk: fx.GraphModule, site: Site) -> ScaledReLU:
    """Weights behind a site's ReLU."""
    return cast(ScaledReLU, trunk.get_submodule(str(site.activation)))


def convolution(trunk: fx.GraphModule, name: str) -> nn.Conv2d:
    """Find a convolution by name."""
    return cast(nn.Conv2d, trunk.get_submodule(name))


def narrow_learner(learner: Learner, flow: ChannelFlow, kept: Kept) -> Learner:
    """Remove channels from a learner's trunk, and what its head read of them."""
    trunk = cast(fx.GraphModule, learner.trunk)
    read = kept_inputs(trunk, flow.outputs, kept)
    head = learner.head if read is None else narrow_head(learner.head, read)
    return Learner(remove_channels(trunk, flow, kept), head)


def operation_costs(trunk: fx.GraphModule, flow: ChannelFlow, side_px: int) -> dict[str, float]:
    """Multiply-adds that one channel of each convolution causes, in it and where it is read, over the layers' mean."""
    places: dict[str, int] = {}

    def remember(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def hook(_: nn.Module, __: object, maps: torch.Tensor) -> None:
            places[name] = maps.shape[2] * maps.shape[3]

        return hook

    convs = {site.conv: convolution(trunk, site.conv) for site in flow.sites}
    hooks = [conv.register_forward_hook(remember(name)) for name, conv in convs.items()]
    with torch.no_grad():
        trunk(torch.zeros(1, 3, side_px, side_px, device=next(trunk.parameters()).device))
    for hook in hooks:
        hook.remove()
    products = dict.fromkeys(convs, 0.0)
    for site in flow.sites:
        conv = convs[site.conv]
        area = places[site.conv] * conv.kernel_size[0] * conv.kernel_size[1]
        products[site.conv] += area * conv.in_channels
        for source in site.sources:
            products[source] += area * conv.out_channels
    mean = sum(products.values()) / len(products)
    return {name: value / mean for name, value in products.items()}
