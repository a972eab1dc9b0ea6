"""What the checks run on: drawn tissue, sizes for a card or for a test on the CPU, and the device."""

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import wsi_scale as ws
from benchmarks.data import mosaic
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.results.tiles import Tiles
from wsi_scale.synthesis import render_scene, truth_scenes

#: Side of a scene: that of a tile, 112 µm at 0.25 µm/px.
SCENE_PX, SCENE_MPP = 448, 0.25


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes
    ----------
    columns
        Scenes along each side of the drawn tissue; each is a tile.
    cases
        Scenes that trainings draw tiles from.
    repeats
        Copies of the tissue along each side of the slide whose throughput is measured.
    predicted_tiles
        Positions from which the mpp of the tissue is estimated.
    images, steps
        Drawn tiles, and batches, of a training.
    matrix, batch_mpx, rounds
        Side of the matrices, megapixels of a batch, and repetitions of the measurements.
    """

    columns: int
    cases: int
    repeats: int
    predicted_tiles: int
    images: int
    steps: int
    matrix: int
    batch_mpx: float
    rounds: int


#: For a card, within 8 minutes; for a test of the script itself, within one.
CARD = Sizes(
    columns=8, cases=24, repeats=8, predicted_tiles=24, images=120, steps=20, matrix=8192, batch_mpx=8.0, rounds=10
)
TRIAL = Sizes(columns=1, cases=6, repeats=1, predicted_tiles=2, images=30, steps=2, matrix=512, batch_mpx=0.3, rounds=1)


@dataclass(frozen=True)
class Bench:
    """What every step is given.

    Attributes
    ----------
    device
        ``cuda``, or ``cpu`` to try the steps themselves.
    sizes
        How much is computed.
    folder
        For files; empty at first.
    """

    device: str
    sizes: Sizes
    folder: Path

    @cached_property
    def compute(self) -> Compute:
        """The device with the dtype that it would choose."""
        return resolve(ExecutionConfig(device="cuda" if self.device == "cuda" else "cpu"))

    @cached_property
    def scenes(self) -> list[NDArray[np.uint8]]:
        """Drawn fields with nuclei of many sizes."""
        count = max(self.sizes.columns**2, self.sizes.cases)
        return [render_scene(scene) for scene in truth_scenes(count, seed=5, mpp=SCENE_MPP, size_px=SCENE_PX)]

    @cached_property
    def tissue(self) -> NDArray[np.uint8]:
        """Drawn tissue: the fields beside each other, (row, col, rgb)."""
        return mosaic(self.scenes[: self.sizes.columns**2], self.sizes.columns)

    @cached_property
    def tiles(self) -> Tiles:
        """One tile on each field."""
        return tiles_on(self.tissue)

    @cached_property
    def table(self) -> Path:
        """Table of fields of known µm per pixel, for trainings: each field a case."""
        rows = []
        for number, scene in enumerate(self.scenes[: self.sizes.cases]):
            Image.fromarray(scene).save(self.folder / f"field-{number}.png")
            rows.append({"file": f"field-{number}.png", "case": f"case-{number}", "stain": "H&E", "mpp": SCENE_MPP})
        path = self.folder / "fields.tsv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
        return path

    @cached_property
    def searched(self) -> ws.ScaleMap:
        """What the search finds on the CPU with the embedded network."""
        return ws.search_scale(self.tissue, self.tiles, device="cpu", dtype="float32")

    def wait(self) -> None:
        """Wait until the device has finished what it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize(self.compute.torch_device)


def tiles_on(tissue: NDArray[np.uint8]) -> Tiles:
    """Lay tiles everywhere, so that their number is known beforehand."""
    return ws.tile_slide(tissue, slide_mpp=SCENE_MPP, method="none", min_tissue=0)
