"""Basis scaling: the same network at first, orthonormal filters, and plain convolutions in the end."""

import pytest
import torch
from torch import fx, nn

from tests.transfer.tasks import network_source
from wsi_scale.networks.graph import single_output
from wsi_scale.transfer.basis import (
    BasisConv,
    attach_bases,
    bases_of,
    fold_bases,
    merge_pairs,
    parameters_kept,
    remove_vectors,
    taylor_importance,
)


def close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> bool:
    return bool((ours - theirs).abs().max() <= tolerance * max(1.0, float(theirs.abs().max())))


@pytest.mark.parametrize("name", ["embedded", "squeezenet1_1", "resnet50", "inception_v3"])
@torch.no_grad()
def test_a_split_network_is_the_same_network_at_first(name: str) -> None:
    source = network_source(name)
    trunk = single_output(source.tapped([source.architecture.feature_layer]))
    images = torch.randn(1, 3, 96, 96)
    split = attach_bases(trunk).eval()
    assert close(split(images), trunk(images), 1e-4)
    assert {n for n, p in split.named_parameters() if p.requires_grad} == {f"{n}.scale" for n in bases_of(split)}


@pytest.mark.parametrize(
    "conv",
    [nn.Conv2d(8, 24, 3, padding=1), nn.Conv2d(24, 8, 1, bias=False), nn.Conv2d(4, 16, (1, 5), (1, 2), (0, 2))],
    ids=["3x3", "1x1", "strided row"],
)
@torch.no_grad()
def test_a_convolution_of_any_shape(conv: nn.Conv2d) -> None:
    basis = BasisConv(conv)
    images = torch.randn(2, conv.in_channels, 20, 20)
    assert close(basis(images), conv(images), 1e-5)
    filters = basis.filters.weight.flatten(1)
    assert torch.allclose(filters @ filters.T, torch.eye(basis.rank), atol=1e-5)


@torch.no_grad()
def test_without_some_vectors_it_is_the_nearest_convolution_of_lower_rank() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 24, 3, padding=1)
    basis = BasisConv(conv)
    basis.keep(torch.arange(basis.rank) < 5)
    ours = basis.back.weight[:, :, 0, 0] @ basis.filters.weight.flatten(1)
    u, s, vt = torch.linalg.svd(conv.weight.flatten(1), full_matrices=False)
    assert torch.allclose(ours, u[:, :5] * s[:5] @ vt[:5], atol=1e-5)


@pytest.mark.parametrize(("rank", "kind"), [(4, nn.Sequential), (24, nn.Conv2d)])
@torch.no_grad()
def test_factors_fold_in_and_two_convolutions_stay_only_where_they_are_smaller(rank: int, kind: type) -> None:
    torch.manual_seed(0)
    basis = BasisConv(nn.Conv2d(8, 24, 3, padding=1))
    basis.keep(torch.arange(basis.rank) < rank)
    basis.scale.copy_(torch.rand(rank) + 0.5)
    images = torch.randn(2, 8, 16, 16)
    folded = basis.folded()
    assert isinstance(folded, kind)
    assert close(folded(images), basis(images), 1e-5)
    assert sum(p.numel() for p in folded.parameters()) == basis.parameters_at(rank)


@torch.no_grad()
def test_a_network_split_pruned_and_folded_can_be_split_again() -> None:
    source = network_source("embedded")
    trunk = single_output(source.tapped(["C4_2"]))
    split = attach_bases(trunk)
    kept = {name: torch.arange(basis.rank) < basis.rank // 4 for name, basis in bases_of(split).items()}
    count = parameters_kept(split, kept)
    remove_vectors(split, kept)
    folded = fold_bases(split)
    assert sum(p.numel() for p in folded.parameters()) == count
    images = torch.randn(1, 3, 64, 64)
    # A network read from a file is traced, and its pairs are two steps of the graph.
    for pairs in (folded, fx.symbolic_trace(folded)):
        merged = merge_pairs(pairs)
        assert close(merged(images), folded(images), 1e-4)
        assert len(bases_of(attach_bases(pairs))) == len(bases_of(split))
    again = attach_bases(folded)
    assert close(again(images), folded(images), 1e-4)
    assert {name: basis.rank for name, basis in bases_of(again).items()} == {
        name: basis.rank for name, basis in bases_of(split).items()
    }


def test_importance_is_what_the_loss_changes_by_to_first_order() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(BasisConv(nn.Conv2d(3, 6, 3)), nn.Flatten())
    images = torch.randn(4, 3, 3, 3)

    def loss() -> torch.Tensor:
        return module(images).square().mean()

    basis = bases_of(module)["0"]
    importance = taylor_importance(module, [loss])["0"] * basis.vector_parameters
    step = 1e-3
    for vector in range(basis.rank):
        with torch.no_grad():
            before = loss()
            basis.scale[vector] -= step
            change = (loss() - before).abs() / step
            basis.scale[vector] += step
        assert float(change) == pytest.approx(float(importance[vector]), rel=0.02, abs=1e-4)


def test_importance_sums_over_batches_without_cancelling() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(BasisConv(nn.Conv2d(3, 6, 3)))
    images = torch.randn(4, 3, 3, 3)
    up, down = (lambda: module(images).mean()), (lambda: -module(images).mean())
    once, both = taylor_importance(module, [up])["0"], taylor_importance(module, [up, down])["0"]
    assert torch.allclose(both, 2 * once)
