"""Chains of convolutions as a plan of widths: the embedded default, VGG16/19 and what pruning makes of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@dataclass(frozen=True)
class Conv:
    """A convolution other than VGG's 3 × 3, padded by half its kernel.

    Attributes
    ----------
    width
        Channels that it makes.
    kernel, stride
        Pixels.
    """

    width: int
    kernel: int = 3
    stride: int = 1


#: A number is a 3 × 3 convolution of that width, "M" a max-pool that halves.
Step = int | Literal["M"] | Conv
ChainPlan = Sequence[Step]

#: The embedded network: a stem that halves at once, then 3 × 3 convolutions as in VGG, thin enough for a CPU.
EMBEDDED_PLAN: tuple[Step, ...] = (Conv(24, 5, 2), 32, "M", 48, 64, "M", 96, 96, "M", 128, 160)
#: Its layers whose pooled responses tell the scale: the last of each block.
EMBEDDED_SCALE_LAYERS = ("C1_2", "C2_2", "C3_2", "C4_2")


@dataclass(frozen=True)
class ChainTap:
    """The activated output of one convolution.

    Attributes
    ----------
    name
        ``C<block>_<convolution>``, as papers write it (Penkin et al. 2022: C4_4 is VGG19's last before pool 4).
    index
        Position of its ReLU in the chain.
    channels, stride
        Width of the map and input pixels per map pixel.
    """

    name: str
    index: int
    channels: int
    stride: int


def chain_taps(plan: ChainPlan) -> tuple[ChainTap, ...]:
    """Every activated convolution of a plan without batch norm, shallow to deep."""
    taps, index, block, place, stride = [], 0, 1, 0, 1
    for step in plan:
        if step == "M":
            index, block, place, stride = index + 1, block + 1, 0, stride * 2
            continue
        conv, place = as_conv(step), place + 1
        stride *= conv.stride
        taps.append(ChainTap(f"C{block}_{place}", index + 1, conv.width, stride))
        index += 2
    return tuple(taps)


def as_conv(step: Step) -> Conv:
    """Read a step of a plan that is not a max-pool."""
    if step == "M":
        raise TypeError("a max-pool is not a convolution")
    return step if isinstance(step, Conv) else Conv(step)


def build_chain(plan: ChainPlan, *, batch_norm: bool = False) -> nn.Sequential:
    """Build the modules of a plan, in the order and with the indices of torchvision's VGG."""
    modules: list[nn.Module] = []
    width = 3
    for step in plan:
        if step == "M":
            modules.append(nn.MaxPool2d(2, 2))
            continue
        conv = as_conv(step)
        modules.append(nn.Conv2d(width, conv.width, conv.kernel, conv.stride, conv.kernel // 2))
        modules += [nn.BatchNorm2d(conv.width)] if batch_norm else []
        modules.append(nn.ReLU(inplace=True))
        width = conv.width
    return nn.Sequential(*modules)


def plan_as_json(plan: ChainPlan) -> list[Any]:
    """Write a plan as JSON holds it: a Conv is [width, kernel, stride]."""
    return [[s.width, s.kernel, s.stride] if isinstance(s, Conv) else s for s in plan]


def plan_from_json(steps: Iterable[Any]) -> tuple[Step, ...]:
    """Read what :func:`plan_as_json` wrote.

    Raises
    ------
    ValueError
        A step is not one of a plan.
    """
    plan: list[Step] = []
    for step in steps:
        if isinstance(step, list | tuple):
            plan.append(Conv(*(int(value) for value in step)))
        elif step == "M" or (isinstance(step, int) and step > 0):
            plan.append(step)
        else:
            raise ValueError(f"{step!r} is not a step of a plan")
    return tuple(plan)


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
