"""Images on the device that computes: the same bytes whoever resamples them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsi_scale.execution.turns import Place
from wsi_scale.networks.resample import Resampler
from wsi_scale.slides import Field, FieldBlock, Slide, open_slide
from wsi_scale.steps.pixels import DevicePixels, HostPixels, pixels_on
from wsi_scale.synthesis import write_pyramid


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[Slide]:
    """A pyramid whose sizes do not divide."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (52, 62, 3), np.uint8)
    write_pyramid(tmp_path / "slide.tiff", coarse.repeat(10, 0).repeat(10, 1)[:509, :613], 0.25)
    with open_slide(tmp_path / "slide.tiff") as opened:
        yield opened


def fields() -> list[Field]:
    # Two groups far from one another, and one tile that reaches beyond the slide.
    near = [Field(10.3 + 64 * col, 20.6 + 64 * row, 64, 64) for row in range(2) for col in range(3)]
    return [*near, Field(550, 450, 64, 64), Field(1.5, 440.25, 64, 64), *near[:2]]


@pytest.mark.parametrize("size", [4, 9, 20, 31, 64, 100])
def test_a_device_gives_the_hosts_images(slide: Slide, size: int) -> None:
    block = FieldBlock(slide, fields(), keeps_levels=True)
    rows = [8, 0, 6, 3, 7, 5]
    host = HostPixels(block, "cpu").images(rows, size)
    device = DevicePixels(block, Resampler("cpu")).images(rows, size)
    assert device.shape == (6, size, size, 3)
    np.testing.assert_array_equal(device.numpy(), host.numpy())


def test_each_region_is_copied_once(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    from wsi_scale.steps import pixels

    copied: list[tuple[int, ...]] = []
    plain = pixels.to_device

    def counted(values: Any, device: str) -> Any:
        copied.append(values.shape)
        return plain(values, device)

    monkeypatch.setattr(pixels, "to_device", counted)
    device = DevicePixels(FieldBlock(slide, fields()[:6], keeps_levels=True), Resampler("cpu"))
    for size in (40, 50, 64):
        device.images(range(6), size)
    assert len([shape for shape in copied if len(shape) == 3]) == 1


def test_a_cpu_takes_pillow_and_a_gpu_resamples_itself(slide: Slide) -> None:
    block = FieldBlock(slide, fields())
    assert isinstance(pixels_on(block, Place("cpu", 0)), HostPixels)
    on_gpu = pixels_on(block, Place("cuda:1", 0))
    assert isinstance(on_gpu, DevicePixels)
    # A stream of its own has weights of its own.
    assert pixels_on(block, Place("cuda:1", 1))._resampler is not on_gpu._resampler
