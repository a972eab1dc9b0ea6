"""Overlapping tiles in one pass: what each tile alone, with the tissue around it, would answer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.runs import MPP, draw
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.turns import Place
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network
from wsi_scale.results.tiles import TileGrid
from wsi_scale.slides import Field, Slide, open_slide, read_field
from wsi_scale.steps.dense import SIDE, DensePass, Lattice, Sharing, is_dense, squares
from wsi_scale.synthesis import write_pyramid

COMPUTE = Compute("cpu", "float32", 1, 0.25)
AT = (COMPUTE, Place("cpu", 0))
SIZES = (64, 96, 160)


@pytest.fixture(scope="module")
def network() -> Network:
    return find_network("embedded").tapped(["C2_2", "C4_1"]).restricted({"C2_2": (3, 5), "C4_1": (0, 7, 100)})


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[Slide]:
    write_pyramid(tmp_path / "slide.tiff", draw(3.0, 900, 1000), MPP)
    with open_slide(tmp_path / "slide.tiff") as opened:
        yield opened


def lattice(step: float, count: tuple[int, int] = (5, 4), first: tuple[int, int] = (2, 3)) -> Lattice:
    return Lattice(first, count, (step, step), (224.0, 224.0))


@pytest.mark.parametrize("step", [112.0, 56.0, 50.3])
@pytest.mark.parametrize("size", SIZES)
def test_a_window_answers_as_the_tile_with_the_tissue_around_it(
    slide: Slide, network: Network, step: float, size: int
) -> None:
    sharing = Sharing((step, step), network.context_px or 0, network.stride)
    whole = DensePass(slide, lattice(step), SIZES, sharing)
    assert whole.hold(size) == ""
    found = whole.responses(network, size, AT)
    assert found["C2_2"].shape == (4, 5, 2)
    assert found["C4_1"].shape == (4, 5, 3)
    for row, col in ((0, 0), (1, 2), (3, 4)):
        alone = DensePass(slide, lattice(step), SIZES, sharing, (col, row))
        assert alone.hold(size) == ""
        for name, values in alone.responses(network, size, AT).items():
            # Where a rung's pixels are no whole ones of level 0, some are rounded otherwise.
            most = (1e-5 if size == 64 and step != 50.3 else 0.02) * np.abs(found[name]).mean()
            np.testing.assert_allclose(found[name][row, col], values[0, 0], rtol=0, atol=most)


def test_the_middle_of_a_large_tile_is_seen_alike_with_and_without_context(slide: Slide, network: Network) -> None:
    sharing = Sharing((56.0, 56.0), network.context_px or 0, network.stride)
    dense = DensePass(slide, lattice(56.0), SIZES, sharing).responses(network, 160, AT)
    image = read_field(slide, Field(2 * 56, 3 * 56, 224, 224), (160, 160))
    from wsi_scale.networks.forward import pooled_responses

    for name, values in pooled_responses(network, image[None], COMPUTE).items():
        # Padding changes the borders alone.
        np.testing.assert_allclose(dense[name][0, 0], values[0], rtol=0.5, atol=0.3 * np.abs(values).mean())


def test_the_reach_is_what_has_a_say(network: Network) -> None:
    import torch

    context = network.context_px
    assert context is not None
    side = 3 * context + network.stride
    images = torch.rand(1, 3, side, side)
    changed = images.clone()
    changed[..., : side // 2 - context] += 1
    cell = side // 2 // network.stride
    one, other = (dict(network.chosen_maps(each))["C4_1"][..., cell] for each in (images, changed))
    torch.testing.assert_close(one[..., 3:-3], other[..., 3:-3])


def test_every_tile_is_in_one_square() -> None:
    rows, cols = (axis.ravel() for axis in np.indices((2 * SIDE + 3, SIDE + 5)))
    kept = np.random.default_rng(0).random(len(rows)) < 0.6
    rows, cols = rows[kept], cols[kept]
    found = squares(rows, cols)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(rows)))
    assert len(found) == 6
    for numbers in found:
        assert len({(row // SIDE, col // SIDE) for row, col in zip(rows[numbers], cols[numbers], strict=True)}) == 1


@pytest.mark.parametrize(("overlap", "dense"), [(0, False), (111, False), (112, True), (168, True)])
def test_tiles_share_a_pass_where_they_overlap_by_half(overlap: int, dense: bool) -> None:
    grid = TileGrid(4, 4, 224, 0.5, (224 - overlap) * 0.5, 4000, 3000, 0.25, 0.25, "metadata")
    assert is_dense(grid) is dense
