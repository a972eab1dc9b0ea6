"""A folder of results as the stages would leave it, without running any."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.runs import finished, own_cache, recorded, shared, small_slide
from wsi_scale.artifacts.pictures import write_pictures
from wsi_scale.artifacts.prediction import write_prediction
from wsi_scale.artifacts.record import Status
from wsi_scale.artifacts.scale_map import write_scale_map
from wsi_scale.artifacts.slide_info import write_slide_info
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.tiles import write_tiles
from wsi_scale.report.overlay import draw_overlay
from wsi_scale.results.prediction import Prediction
from wsi_scale.results.scale_map import Reason, ScaleMap
from wsi_scale.results.tiles import TileGrid, TileTable

__all__ = ["finished", "own_cache", "shared", "small_slide"]

GRID = TileGrid(12, 18, 224, 0.5, 112.0, 8300, 5600, 0.25, 0.25, "metadata")
RUNGS = 2.0 ** (np.arange(13) / 3 - 2.5)
#: Optimal mpp of a structure of 1 µm radius.
MPP_PER_UM = 0.25

SlideWriter = Callable[..., Path]


def _records(folder: Path, last: str, status: Status, reason: str) -> None:
    """Every stage before ``last`` is ok; it and the later ones have the status."""
    reached = False
    for stage in SLIDE_STAGES:
        reached = reached or stage == last
        recorded(folder, stage, status if reached else "ok", reason if reached else "")


def _info(folder: Path, slide_id: str, warnings: list[str]) -> None:
    info = {
        "slide_id": slide_id,
        "path": f"/slides/{slide_id}.svs",
        "vendor": "aperio",
        "width": 8300,
        "height": 5600,
        "level_count": 2,
        "level_downsamples": [1.0, 4.0],
        "objective_power": 40.0,
        "mpp": 0.25,
        "mpp_x": 0.25,
        "mpp_y": 0.25,
        "mpp_source": "metadata",
        "mpp_doubts": [],
        "header_mpp": 0.25,
        "header_source": "metadata",
        "status": "ok",
        "warnings": warnings,
    }
    write_slide_info(folder, info)


def tissue() -> tuple[NDArray[Any], NDArray[Any]]:
    """A thumbnail, (row, col, rgb), with a purple blob, and its mask."""
    row, col = np.mgrid[:280, :415]
    mask = ((row - 140) / 115) ** 2 + ((col - 205) / 180) ** 2 + 0.08 * np.sin(col / 18) < 0.95
    grain = np.random.default_rng(0).normal(0, 9, (280, 415, 1))
    image = np.where(mask[..., None], np.array([190, 130, 180]) + grain, [242, 240, 243])
    return np.clip(image, 0, 255).astype(np.uint8), mask


def _tiles(mask: NDArray[Any]) -> TileTable:
    scale_x, scale_y = mask.shape[1] / GRID.slide_width, mask.shape[0] / GRID.slide_height
    y, x = ((np.arange(n) * 448 + 224) * s for n, s in ((GRID.rows, scale_y), (GRID.cols, scale_x)))
    row, col = np.nonzero(mask[np.ix_(y.astype(int), x.astype(int))])
    return TileTable(
        GRID, row.astype(np.int32), col.astype(np.int32), col * 448, row * 448, np.ones(len(row), np.float32)
    )


def _scale_map(table: TileTable) -> ScaleMap:
    """Twice as large structures in the right half; some tiles without an answer."""
    rng = np.random.default_rng(1)
    image = np.full((5, GRID.rows, GRID.cols), np.nan, np.float32)
    octaves = np.where(table.col >= GRID.cols // 2, 0.0, -1.0) + rng.normal(0, 0.12, len(table))
    image[0, table.row, table.col] = np.where(rng.random(len(table)) < 0.04, np.nan, 2.0**octaves)
    image[1, table.row, table.col] = np.clip(rng.normal(0.7, 0.15, len(table)), 0, 1)
    image[2] = np.isfinite(image[0])
    image[3] = np.where(np.isfinite(image[0]), 0.25, np.nan)
    image[4] = image[0] / MPP_PER_UM
    curves = {}
    for number, layer in enumerate(("relu3_3", "relu4_3", "relu5_1")):
        away = np.log2(RUNGS) - np.log2(image[0])[..., None]
        curve = np.exp(-((away / (1.0 + 0.4 * number)) ** 2)) + rng.normal(0, 0.02, away.shape)
        curve[..., 0] = np.nan
        curves[layer] = curve.astype(np.float32)
    reason = np.full((GRID.rows, GRID.cols), Reason.GLASS, np.uint8)
    reason[table.row, table.col] = np.where(
        np.isfinite(image[0, table.row, table.col]), Reason.ANSWERED, Reason.NO_OPTIMUM
    )
    return ScaleMap(
        GRID,
        image,
        reason,
        curves,
        RUNGS,
        RUNGS < 0.25,
        {"method": "covariant", "network": "vgg19", "optimal_mpp_per_um": MPP_PER_UM},
    )


@pytest.fixture
def write_ok() -> SlideWriter:
    """Write the results of a slide with a map of two scales."""

    def write(folder: Path, slide_id: str, warnings: tuple[str, ...] = ()) -> Path:
        thumbnail, mask = tissue()
        table = _tiles(mask)
        corners = np.stack([table.x, table.y, table.x + 448, table.y + 448], axis=1) * (415 / GRID.slide_width)
        _info(folder, slide_id, list(warnings))
        write_pictures(folder, thumbnail, mask, draw_overlay(thumbnail, mask, corners))
        write_tiles(folder, table, "f")
        write_scale_map(folder, _scale_map(table), "f")
        by_downsample = {"1": 0.24, "2": 0.262, "4": 0.255, "8": 0.27}
        write_prediction(folder, Prediction(0.258, 0.2, 0.33, "ok", "", 96, by_downsample, ""))
        _records(folder, "extract", "ok", "")
        return folder

    return write


@pytest.fixture
def write_failed() -> SlideWriter:
    """Write the results of a slide that failed at a stage."""

    def write(folder: Path, slide_id: str, reason: str, stage: str = "tile") -> Path:
        _info(folder, slide_id, ["mpp is missing"])
        write_prediction(folder, Prediction(None, None, None, "abstained", "no tissue found", 0, {}, ""))
        _records(folder, stage, "failed", reason)
        return folder

    return write


@pytest.fixture
def write_empty() -> SlideWriter:
    """Write the results of a slide without tissue."""

    def write(folder: Path, slide_id: str) -> Path:
        thumbnail = np.full((280, 415, 3), 241, np.uint8)
        mask = np.zeros((280, 415), np.bool_)
        _info(folder, slide_id, [])
        write_prediction(folder, Prediction(None, None, None, "abstained", "no tissue found", 0, {}, ""))
        write_pictures(folder, thumbnail, mask, draw_overlay(thumbnail, mask, np.zeros((0, 4))))
        _records(folder, "tile", "empty", "no tissue found")
        return folder

    return write
