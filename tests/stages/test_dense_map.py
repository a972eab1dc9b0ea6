"""Stage `search` on tiles that overlap: one pass of their neighbourhood."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.runs import configured, job
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.config.settings import SearchSettings, TileSettings
from wsi_scale.errors import RegionError
from wsi_scale.slides.openslide_backend import OpenSlideSlide
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile


@pytest.fixture
def settings() -> tuple[TileSettings, SearchSettings]:
    config = configured(
        "tiling.min_tissue=0", "tissue.method=none", "tiling.overlap_px=168", "search.ladder=full",
        "execution.dtype=float32", "slides.unreadable_share=1",
    )  # fmt: skip
    return TileSettings.of(config), SearchSettings.of(config)


def found_map(folder: Path, slide: Path, settings: tuple[TileSettings, SearchSettings]) -> NDArray[np.float32]:
    this = job(slide, folder)
    inspect(this)
    tile(this, settings[0])
    assert search(this, settings[1]).status == "ok"
    return read_scale_map(folder)[0].optimal_mpp


def test_a_dense_map_shows_what_tiles_without_overlap_show(
    small_slide: Path, tmp_path: Path, own_cache: Path, settings: tuple[TileSettings, SearchSettings]
) -> None:
    dense = found_map(tmp_path / "dense", small_slide, settings)
    apart = replace(settings[0], tiling=settings[0].tiling.model_copy(update={"overlap_px": 0}))
    plain = found_map(tmp_path / "plain", small_slide, (apart, replace(settings[1], tiling=apart.tiling)))
    difference = np.log2(dense[::4, ::4][: plain.shape[0], : plain.shape[1]] / plain)
    assert np.nanmedian(np.abs(difference)) < 0.1


def test_a_block_that_cannot_be_decoded_is_passed_tile_by_tile(
    small_slide: Path, tmp_path: Path, own_cache: Path, settings: tuple[TileSettings, SearchSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    whole = found_map(tmp_path / "whole", small_slide, settings)
    plain = OpenSlideSlide._read_pixels

    def broken(self: OpenSlideSlide, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        scale = self._reported[level].downsample
        if level == 0 and x <= 700 / scale < x + width and y <= 500 / scale < y + height:
            raise RegionError("broken")
        return plain(self, level, x, y, width, height)

    monkeypatch.setattr(OpenSlideSlide, "_read_pixels", broken)
    damaged = found_map(tmp_path / "damaged", small_slide, settings)
    there = np.isfinite(damaged) & np.isfinite(whole)
    assert 0.2 < there.mean() < 0.95
    np.testing.assert_allclose(np.log2(damaged[there] / whole[there]), 0, atol=0.01)
