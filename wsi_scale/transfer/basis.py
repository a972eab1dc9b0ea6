"""Basis scaling: each convolution as orthonormal filters, a trainable factor for each, and a map back.

Wong, Kashyap & Moradi (2024), "Basis Scaling and Double Pruning", split a convolution by a singular value
decomposition, train the factors alone, and remove basis vectors by a first-order Taylor estimate of their importance.
Details that the abstracts do not give are our choice: importance is divided by the parameters that a vector costs, so
that layers of all sizes share one threshold, and a layer becomes one convolution again if two would be larger.
"""

import copy
from collections.abc import Callable, Iterable

import torch
from torch import fx, nn

from wsi_scale.networks.shapes import conv_like
from wsi_scale.transfer.budget import Kept

#: Singular values below this share of the largest are none.
LEAST_SINGULAR = 1e-5


class BasisConv(nn.Module):
    """A convolution as basis filters, a factor for each of them, and a 1 × 1 convolution back to its channels.

    With all factors at 1 the result is that of the convolution: W (channel, input · row · col) = U Σ Vᵀ, the rows of
    Vᵀ are the filters and U Σ maps back.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        u, singular, vt = _decompose(conv.weight.detach().double().flatten(1))
        rank = len(singular)
        self.filters = conv_like(conv, conv.in_channels, rank, bias=False)
        self.back = nn.Conv2d(rank, conv.out_channels, 1, bias=conv.bias is not None, device=conv.weight.device)
        with torch.no_grad():
            self.filters.weight.copy_(vt.reshape(self.filters.weight.shape))
            self.back.weight.copy_((u * singular)[:, :, None, None])
            if conv.bias is not None and self.back.bias is not None:
                self.back.bias.copy_(conv.bias)
        self.requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(rank, device=conv.weight.device))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (n, channel, row, col) as the convolution did."""
        answers: torch.Tensor = self.back(self.filters(maps) * self.scale[:, None, None])
        return answers

    @property
    def rank(self) -> int:
        """Number of remaining basis vectors."""
        return self.scale.numel()

    @property
    def vector_parameters(self) -> int:
        """Parameters of one basis vector: its filter, and its column of the map back."""
        return self.filters.weight[0].numel() + self.back.out_channels

    def parameters_at(self, rank: int) -> int:
        """Parameters with ``rank`` vectors: of two convolutions, or of one where that is less."""
        whole = self.filters.weight[0].numel() * self.back.out_channels
        bias = self.back.out_channels if self.back.bias is not None else 0
        return min(rank * self.vector_parameters, whole) + bias

    def keep(self, rows: torch.Tensor) -> None:
        """Remove the other vectors; ``rows`` (vector,) bool."""
        filters = conv_like(self.filters, self.filters.in_channels, int(rows.sum()), bias=False)
        back = nn.Conv2d(
            int(rows.sum()), self.back.out_channels, 1, bias=self.back.bias is not None, device=rows.device
        )
        with torch.no_grad():
            filters.weight.copy_(self.filters.weight[rows])
            back.weight.copy_(self.back.weight[:, rows])
            if back.bias is not None and self.back.bias is not None:
                back.bias.copy_(self.back.bias)
        self.filters, self.back = filters.requires_grad_(False), back.requires_grad_(False)
        self.scale = nn.Parameter(self.scale.detach()[rows].clone())

    def folded(self) -> nn.Module:
        """Factors multiplied into the map back: two convolutions, or one where that has fewer parameters."""
        mapped = self.back.weight.detach()[:, :, 0, 0] * self.scale.detach()
        one = self.filters.weight[0].numel() * self.back.out_channels <= self.rank * self.vector_parameters
        if one:
            conv = conv_like(
                self.filters, self.filters.in_channels, self.back.out_channels, bias=self.back.bias is not None
            )
            weight = (mapped.double() @ self.filters.weight.detach().double().flatten(1)).reshape(conv.weight.shape)
            return _filled(conv, weight, self.back.bias)
        back = nn.Conv2d(self.rank, self.back.out_channels, 1, bias=self.back.bias is not None, device=mapped.device)
        return nn.Sequential(copy.deepcopy(self.filters), _filled(back, mapped[:, :, None, None], self.back.bias))


def _decompose(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Decompose (n, m) into singular vectors and values that are not zero: U (n, rank), Σ (rank,), Vᵀ (rank, m).

    By the eigenvectors of the smaller product of the matrix with itself, many times as fast as a plain decomposition;
    in double precision its error lies far below :data:`LEAST_SINGULAR`.
    """
    if weight.shape[0] > weight.shape[1]:
        v, singular, ut = _decompose(weight.T)
        return ut.T, singular, v.T
    squares, u = torch.linalg.eigh(weight @ weight.T)
    singular, u = squares.clamp(min=0).sqrt().flip(0), u.flip(1)
    rank = max(1, int((singular > LEAST_SINGULAR * singular[0]).sum()))
    return u[:, :rank], singular[:rank], (u[:, :rank].T @ weight) / singular[:rank, None]


def _filled(conv: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Conv2d:
    with torch.no_grad():
        conv.weight.copy_(weight)
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias)
    return conv.requires_grad_(False)


def attach_bases(trunk: nn.Module) -> nn.Module:
    """Return a copy, frozen but for the factors, in which every convolution of one group is split."""
    split = merge_pairs(trunk).requires_grad_(False)
    for name, conv in _convolutions(split):
        split.set_submodule(name, BasisConv(conv))
    return split


def merge_pairs(trunk: nn.Module) -> fx.GraphModule:
    """Return a copy, traced, in which every pair that an earlier split left is one convolution again."""
    merged = fx.symbolic_trace(copy.deepcopy(trunk)).eval()
    for node in list(merged.graph.nodes):
        pair = _pair_at(merged, node)
        if pair is None:
            continue
        name, first, second = pair
        conv = conv_like(first, first.in_channels, second.out_channels, bias=second.bias is not None)
        weight = second.weight.detach().double()[:, :, 0, 0] @ first.weight.detach().double().flatten(1)
        merged.set_submodule(name, _filled(conv, weight.reshape(conv.weight.shape), second.bias))
        node.target = name
        (mapped_back,) = node.users
        mapped_back.replace_all_uses_with(node)
        merged.graph.erase_node(mapped_back)
    merged.recompile()
    return merged


def _pair_at(trunk: fx.GraphModule, node: fx.Node) -> tuple[str, nn.Conv2d, nn.Conv2d] | None:
    """Name and halves of the split convolution whose first half a step is; None where it is something else."""
    name, _, half = str(node.target).rpartition(".")
    if node.op != "call_module" or half != "0" or [str(user.target) for user in node.users] != [f"{name}.1"]:
        return None
    first, second = (trunk.get_submodule(f"{name}.{index}") for index in (0, 1))
    if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.Conv2d):
        return None
    split = first.bias is None and first.groups == 1 and second.kernel_size == (1, 1)
    return (name, first, second) if split else None


def _convolutions(trunk: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    return [(n, m) for n, m in trunk.named_modules() if isinstance(m, nn.Conv2d) and m.groups == 1]


def bases_of(trunk: nn.Module) -> dict[str, BasisConv]:
    """Name → split convolution, shallow to deep."""
    return {name: module for name, module in trunk.named_modules() if isinstance(module, BasisConv)}


def taylor_importance(trunk: nn.Module, losses: Iterable[Callable[[], torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Estimate, to first order, what removing a vector changes the loss by: the batches' mean of |s · ∂L/∂s|.

    Parameters
    ----------
    losses
        One function a batch that computes its loss.

    Returns
    -------
    importance
        Convolution → (vector,), divided by the parameters that the vector costs.
    """
    bases = bases_of(trunk)
    sums = {name: torch.zeros_like(basis.scale) for name, basis in bases.items()}
    scales = [basis.scale for basis in bases.values()]
    for loss in losses:
        gradients = torch.autograd.grad(loss(), scales)
        for (name, basis), gradient in zip(bases.items(), gradients, strict=True):
            sums[name] += (basis.scale.detach() * gradient).abs()
    return {name: values / bases[name].vector_parameters for name, values in sums.items()}


def parameters_kept(trunk: nn.Module, kept: Kept) -> int:
    """Parameters of the convolutions that are left when only some vectors stay."""
    return sum(basis.parameters_at(int(kept[name].sum())) for name, basis in bases_of(trunk).items())


def remove_vectors(trunk: nn.Module, kept: Kept) -> None:
    """Remove the other vectors, in place."""
    for name, basis in bases_of(trunk).items():
        basis.keep(kept[name])


def fold_bases(trunk: nn.Module) -> nn.Module:
    """Return a copy of plain convolutions: factors folded in, split only where that is smaller."""
    folded = copy.deepcopy(trunk)
    for name, basis in bases_of(folded).items():
        folded.set_submodule(name, basis.folded())
    return folded
