"""Pillow's filter on a torch device: Pillow itself is the other implementation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from wsi_scale.networks.resample import Cut, Resampler, resampling_weights

CPU = Resampler("cpu")


def by_pillow(region: NDArray[np.uint8], cut: Cut, size: int) -> NDArray[np.uint8]:
    left, top, right, bottom = cut.window
    part = Image.fromarray(np.ascontiguousarray(region[top:bottom, left:right]))
    return np.asarray(part.resize((size, size), Image.Resampling.BILINEAR, box=cut.box))


def resampled(region: NDArray[np.uint8], cuts: list[Cut], size: int) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = CPU.resample(torch.from_numpy(region), cuts, size).numpy()
    return images


def assert_equal_to_pillow(region: NDArray[np.uint8], cuts: list[Cut], size: int) -> None:
    for image, cut in zip(resampled(region, cuts, size), cuts, strict=True):
        np.testing.assert_array_equal(image, by_pillow(region, cut, size))


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Pixels of full contrast without any likeness to their neighbours, for which a filter has most to do."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [448, 317, 224, 158, 112, 79, 56, 40, 28])
def test_every_rung_of_tiles_at_whole_pixels_is_pillows(size: int) -> None:
    cuts = [Cut((x, y, x + 450, y + 450), (1, 1, 449, 449)) for x, y in ((0, 0), (448, 3), (13, 350))]
    assert_equal_to_pillow(noise(900, 900), cuts, size)


@pytest.mark.parametrize(("width", "size"), [(31.5, 28), (100.25, 200), (37.7, 75), (900.0, 7), (899.0, 4), (63.0, 63)])
def test_enlarged_and_much_reduced_fields_are_pillows(width: float, size: int) -> None:
    cuts = [Cut((0, 0, 900, 900), (start, start, start + width, start + width)) for start in (0.0, 900 - width)]
    assert_equal_to_pillow(noise(900, 900), cuts, size)


@given(data=st.data())
def test_fields_at_any_fraction_beside_each_other_are_pillows(data: st.DataObject) -> None:
    """Windows of one region differ in size, boxes in their fractions and between the axes."""
    size = data.draw(st.integers(2, 90), "size")
    cuts = []
    for _ in range(data.draw(st.integers(1, 4), "fields")):
        width = data.draw(st.integers(8, 200), "width")
        # Taller ones Pillow resamples in the other order.
        height = data.draw(st.integers(8, max(size, min(200, size + max(0, 2 * (width - size))), 8)), "height")
        left, top = data.draw(st.integers(0, 200 - width)), data.draw(st.integers(0, 200 - height))
        spans = []
        for extent in (width, height):
            start = data.draw(st.floats(0, extent - 4))
            spans.append((start, data.draw(st.floats(start + 2, extent))))
        box = (spans[0][0], spans[1][0], spans[0][1], spans[1][1])
        cuts.append(Cut((left, top, left + width, top + height), box))
    assert_equal_to_pillow(noise(200, 200), cuts, size)


def test_tall_fields_that_pillow_shrinks_vertically_first_differ_by_at_most_one_level() -> None:
    region, cut = noise(600, 60), Cut((0, 0, 60, 600), (2.5, 10.25, 57.5, 590.75))
    difference = resampled(region, [cut], 50)[0].astype(int) - by_pillow(region, cut, 50)
    assert np.abs(difference).max() <= 1


@pytest.mark.data
def test_real_tissue_is_pillows(data_root: Path) -> None:
    region = np.array(Image.open(min((data_root / "tissue").glob("*.[jp][pn]g"))).convert("RGB"))
    for downsample in (0.5, 1.0, 1.37, 2.0, 4.01, 9.3):
        width = min(100 * downsample, 1000.0)
        cuts = [Cut((0, 0, 1024, 1024), (x, x / 3, x + width, x / 3 + width)) for x in (0.0, 7.125, 1024 - width)]
        assert_equal_to_pillow(region, cuts, 100)


def test_where_nothing_changes_size_pixels_stay_what_they_are() -> None:
    region = noise(40, 50)
    np.testing.assert_array_equal(resampled(region, [Cut((0, 0, 50, 40), (7, 5, 37, 35))], 30)[0], region[5:35, 7:37])


def test_a_field_has_the_same_pixels_whatever_stands_beside_it() -> None:
    region = noise(300, 300)
    cuts = [Cut((x, x, x + 90, x + 90), (1.5, 1.25 + x / 1000, 88.5, 88.75)) for x in (0, 40, 210)]
    together = resampled(region, cuts, 33)
    for image, cut in zip(together, cuts, strict=True):
        np.testing.assert_array_equal(image, resampled(region, [cut], 33)[0])


def test_a_callers_autocast_does_not_shorten_the_factors() -> None:
    region, cut = noise(120, 120), Cut((0, 0, 120, 120), (1.3, 1.3, 110.9, 110.9))
    with torch.autocast("cpu", torch.bfloat16):
        assert_equal_to_pillow(region, [cut], 50)


class InTf32(TorchDispatchMode):
    """Shortens the factors of matrix products to ten bits, as TF32 does where a user allows it on a GPU."""

    products = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.bmm.default:
            self.products += 1
            args = tuple(factor.half().float() for factor in args)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("width", "size"), [(120.0, 118), (500.5, 16), (500.5, 8), (505.5, 2)])
def test_matrix_products_in_tf32_give_the_same_pixels(width: float, size: int) -> None:
    region, cut = noise(520, 520), Cut((0, 0, 520, 520), (3.3, 4.4, 3.3 + width, 4.4 + width))
    with InTf32() as mode:
        images = resampled(region, [cut], size)
    assert mode.products == 2
    np.testing.assert_array_equal(images[0], by_pillow(region, cut, size))


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16, 32])
def test_the_longest_filters_neither_overflow_nor_lose_a_level(size: int) -> None:
    white = np.full((255, 255, 3), 255, np.uint8)
    assert (resampled(white, [Cut((0, 0, 255, 255), (0, 0, 255, 255))], size) == 255).all()


def test_a_filter_too_long_to_be_exact_is_refused() -> None:
    with pytest.raises(ValueError, match="read a coarser level, 512 at most"):
        resampled(noise(2, 600), [Cut((0, 0, 600, 2), (0, 0, 600, 2))], 2)


def test_the_weights_of_an_output_add_up_to_one_within_rounding() -> None:
    for start, stop, size in ((0.0, 448.0, 28), (0.3, 99.7, 150), (3.0, 3.5, 4)):
        _, weights = resampling_weights(448, start, stop, size)
        assert (np.abs(weights.sum(axis=1) - 2**22) <= weights.shape[1]).all()


def test_the_devices_never_mix_and_nothing_is_read_back() -> None:
    """Fake tensors of a GPU: mixing devices, or asking for a value, is an error."""
    with FakeTensorMode():
        region = torch.empty(900, 900, 3, dtype=torch.uint8, device="cuda")
        cuts = [Cut((x, 2 * x, x + 440 + x, 2 * x + 441), (1 + x / 7, 1.5, 430, 431.25)) for x in range(4)]
        images = Resampler("cuda").resample(region, cuts, 112)
    assert (tuple(images.shape), images.dtype, images.device.type) == ((4, 112, 112, 3), torch.uint8, "cuda")
