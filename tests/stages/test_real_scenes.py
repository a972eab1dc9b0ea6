"""On whole scenes of real tissue the map moves by as much as the tissue is enlarged."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.runs import configured, job
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.config.settings import SearchSettings, TileSettings
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile

#: Enlargements of one scene each, and of its untouched self.
FACTORS = (0.6, 0.72, 0.85, 1.2, 1.35, 1.5, 1.65, 1.8)

pytestmark = pytest.mark.data


def scenes(data_root: Path, count: int) -> list[tuple[Path, float]]:
    """H&E crops at 0.25–0.27 µm/px, no two of one case, with their µm per pixel."""
    with (data_root / "tissue" / "crops.tsv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if 0.25 <= float(row["mpp"]) <= 0.27]
    of_case = {row["case"]: row for row in rows if row["stain"] == "H&E"}
    chosen = sorted(of_case.values(), key=lambda row: row["case"])
    step = len(chosen) // count
    return [(data_root / "tissue" / row["file"], float(row["mpp"])) for row in chosen[::step][:count]]


def spoil(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Add a camera's noise and a JPEG's loss."""
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    noisy = Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    noisy.save(stream, "JPEG", quality=80)
    return np.asarray(Image.open(stream).convert("RGB"))


def median_optimal_mpp(image: NDArray[np.uint8], mpp: float, folder: Path, overlap_px: int) -> float:
    """Write a file with an mpp tag, search it, and take its map's median."""
    folder.mkdir()
    per_cm = 1e4 / mpp
    tifffile.imwrite(
        folder / "scene.tiff", image, photometric="rgb", tile=(256, 256), compression="zlib", metadata=None,
        resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
    )  # fmt: skip
    this = job(folder / "scene.tiff", folder / "out")
    config = configured(f"tiling.overlap_px={overlap_px}", "tissue.method=none")
    inspect(this)
    tile(this, TileSettings.of(config))
    assert search(this, SearchSettings.of(config)).status == "ok"
    return float(np.nanmedian(read_scale_map(this.folder)[0].image[0]))


def test_optimal_mpp_moves_by_the_factor(data_root: Path, tmp_path: Path) -> None:
    away = []
    for number, ((path, mpp), factor) in enumerate(zip(scenes(data_root, len(FACTORS)), FACTORS, strict=True)):
        scene = Image.open(path).convert("RGB").crop((0, 0, 900, 900))
        side = round(900 * factor)
        enlarged = np.asarray(scene.resize((side, side), Image.Resampling.BICUBIC))
        plain = median_optimal_mpp(spoil(np.asarray(scene), number), mpp, tmp_path / f"{number}-plain", 112)
        overlap_px = 112 if factor < 1 else 0
        other = median_optimal_mpp(spoil(enlarged, number + 100), mpp, tmp_path / f"{number}-other", overlap_px)
        away.append(np.log2(other / plain) - np.log2(factor))

    assert np.median(np.abs(away)) <= 0.1, away
    assert abs(np.median(away)) <= 0.1, away
