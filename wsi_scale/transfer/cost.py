"""What a network costs: parameters, multiply-adds and measured time."""

import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes
    ----------
    parameters
        Of everything that is run.
    multiply_adds
        Of one tile.
    """

    parameters: int
    multiply_adds: int


def cost_of(module: nn.Module, side_px: int) -> Cost:
    """Count parameters and multiply-adds of a module on one image of ``side_px`` pixels a side."""
    first = next(module.parameters())
    image = torch.zeros(1, 3, side_px, side_px, dtype=first.dtype, device=first.device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(image)
    # torch counts a multiply-add as two operations.
    return Cost(sum(p.numel() for p in module.parameters()), counter.get_total_flops() // 2)


def convolution_parameters(trunk: nn.Module) -> int:
    """Count parameters of the convolutions (and of what a convolution was split into)."""
    return sum(p.numel() for m in trunk.modules() if isinstance(m, nn.Conv2d) for p in m.parameters(recurse=False))


def tiles_per_second(modules: list[nn.Module], side_px: int, *, batch: int = 8, rounds: int = 5) -> list[float]:
    """Measure modules in turn, so that all see the same state of the machine; the best of ``rounds`` each."""
    image = torch.rand(batch, 3, side_px, side_px).to(memory_format=torch.channels_last)
    best = [float("inf")] * len(modules)
    with torch.inference_mode():
        for _ in range(rounds):
            for place, module in enumerate(modules):
                there = image.to(next(module.parameters()).device)
                start = time.perf_counter()
                module(there)
                if there.is_cuda:
                    torch.cuda.synchronize(there.device)
                best[place] = min(best[place], time.perf_counter() - start)
    return [batch / seconds for seconds in best]
