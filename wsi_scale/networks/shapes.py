"""Modules in the shapes of their weights: narrower than the architecture, or convolutions split in two."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def fit_shapes(module: nn.Module, state: Mapping[str, torch.Tensor], *, narrower: bool = True) -> None:
    """Replace convolutions and batch norms whose weights have other shapes; in place, on the module's device.

    A convolution ``name`` of which ``state`` holds ``name.0.weight`` and ``name.1.weight`` becomes two: one with
    its kernel and stride, without bias, and a 1 × 1 convolution that maps its channels to the old ones. Kernel sizes
    are the architecture's, and so are widths unless ``narrower``; other differences are found when the weights are
    loaded.
    """
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Conv2d):
            if (weight := state.get(f"{name}.weight")) is not None:
                if not narrower:
                    continue
                module.set_submodule(name, _conv_like(child, weight, bias=child.bias is not None))
            elif f"{name}.0.weight" in state and f"{name}.1.weight" in state:
                basis = _conv_like(child, state[f"{name}.0.weight"], bias=False)
                width, rank = state[f"{name}.1.weight"].shape[:2]
                module.set_submodule(name, nn.Sequential(basis, nn.Conv2d(rank, width, 1, device=child.weight.device)))
        elif isinstance(child, nn.BatchNorm2d) and (weight := state.get(f"{name}.running_mean")) is not None:
            module.set_submodule(name, nn.BatchNorm2d(len(weight), eps=child.eps, device=child.weight.device).eval())


def conv_like(conv: nn.Conv2d, width_in: int, width: int, *, bias: bool) -> nn.Conv2d:
    """Make a convolution of other widths, and the same kernel, stride and padding."""
    geometry: dict[str, Any] = {
        name: getattr(conv, name) for name in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    }
    made = nn.Conv2d(width_in, width, bias=bias, device=conv.weight.device, **geometry)
    return made.train(conv.training)


def with_outputs(module: nn.Module, channels: torch.Tensor) -> nn.Module:
    """Return a convolution, or a sequence that ends with one, that makes only some of its channels.

    Parameters
    ----------
    channels
        (k,) numbers of the channels.
    """
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*module[:-1], with_outputs(module[-1], channels))
    if not isinstance(module, nn.Conv2d) or module.groups != 1:
        raise TypeError("only the channels of a plain convolution can be chosen")
    narrow = conv_like(module, module.in_channels, len(channels), bias=module.bias is not None)
    for name, value in module.named_parameters():
        chosen = value.detach()[channels].contiguous(
            memory_format=torch.channels_last if value.ndim == 4 else torch.contiguous_format
        )
        narrow.register_parameter(name, nn.Parameter(chosen, requires_grad=False))
    return narrow


def _conv_like(conv: nn.Conv2d, weight: torch.Tensor, *, bias: bool) -> nn.Conv2d:
    same = weight.shape == conv.weight.shape and bias == (conv.bias is not None)
    if same or weight.shape[2:] != conv.weight.shape[2:]:
        return conv
    return conv_like(conv, int(weight.shape[1]) * conv.groups, int(weight.shape[0]), bias=bias)
