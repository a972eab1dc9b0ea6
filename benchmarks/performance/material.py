"""What is measured on: slides of real tissue (or drawn, for a trial), their jobs, and how much is computed."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import data_root, mosaic
from benchmarks.sources import TRAINED_ON, Source, read_crops
from wsi_scale.artifacts.record import Record as StageRecord
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.load import parse_config
from wsi_scale.config.models import Config
from wsi_scale.config.settings import TileSettings
from wsi_scale.jobs.job import SlideJob
from wsi_scale.networks.places import weights_folder, weights_in
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.tile import tile
from wsi_scale.synthesis import render_scene, truth_scenes, write_pyramid

NETWORKS = ("embedded", "vgg19")
#: Level 0 of the slides, and the side of a tile on it.
SLIDE_MPP, TILE_PX = 0.25, 448
#: Side of the crops that a slide is made of: two tiles.
CROP_PX = 2 * TILE_PX
#: µm per pixel of the crops that slides are made of, and at most of those whose fields are searched.
SLIDE_MPPS, FINEST_MPP = (0.25, 0.27), 0.275


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes
    ----------
    columns
        Crops along each side of the slide on which all is measured.
    part_columns
        The same of the slide that VGG19 searches with all rungs.
    growth_columns
        The same of two slides, the larger of 25 times the area; the smaller one is extracted too.
    rounds
        Repetitions of what takes seconds, by network, and of what takes less.
    plain_tiles
        Tiles of the plain loop, by network.
    fields
        Fields on which the two ladders are compared.
    dtype_fields
        Fields on which two dtypes are.
    published_sizes
        Sides at which the published way is timed, of its 21.
    published_tiles
        Tiles that we search as published.
    matrix
        Side of the matrices.
    """

    columns: int
    part_columns: int
    growth_columns: tuple[int, int]
    rounds: dict[str, int]
    short_rounds: int
    plain_tiles: dict[str, int]
    fields: int
    dtype_fields: int
    published_sizes: tuple[int, ...]
    published_tiles: int
    matrix: int


FULL = Sizes(
    columns=12, part_columns=6, growth_columns=(5, 25), rounds={"embedded": 3, "vgg19": 2}, short_rounds=7,
    plain_tiles={"embedded": 32, "vgg19": 8}, fields=320, dtype_fields=32,
    published_sizes=(224, 112), published_tiles=4, matrix=2048,
)  # fmt: skip
#: For a trial of the measurements themselves.
QUICK = Sizes(
    columns=2, part_columns=1, growth_columns=(1, 2), rounds={"embedded": 1, "vgg19": 1}, short_rounds=1,
    plain_tiles={"embedded": 1, "vgg19": 1}, fields=4, dtype_fields=2,
    published_sizes=(32,), published_tiles=1, matrix=256,
)  # fmt: skip


@dataclass(frozen=True)
class FieldImage:
    """How an image is opened, and the field of one tile in it: left, top and side, pixels."""

    open: Callable[[], Image.Image]
    left: float
    top: float
    side: float

    def resized(self, size: int) -> NDArray[np.uint8]:
        """Resample the field as tiles of a slide are."""
        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        return np.array(self.open().convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=box))


@dataclass(frozen=True)
class Bench:
    """What every measurement is given.

    Attributes
    ----------
    quick
        Whether this is a trial, on drawn tissue.
    folder
        For slides and results; empty at first.
    """

    quick: bool
    folder: Path

    @property
    def sizes(self) -> Sizes:
        """How much is computed."""
        return QUICK if self.quick else FULL

    @property
    def lacking(self) -> str:
        """Why VGG19 cannot be measured here; "" where it can."""
        folder = weights_folder()
        return "" if weights_in(folder, "vgg19") else f"no weights of VGG19 in {folder}"

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks that can be measured here."""
        return NETWORKS[:1] if self.lacking else NETWORKS

    @cached_property
    def crops(self) -> list[NDArray[np.uint8]]:
        """Squares of tissue, H&E, in the order of their names; of drawn tissue a tile each."""
        if self.quick:
            return _drawn(4)
        found = [source for source in read_crops(data_root(), ("tissue",)) if _within(source, SLIDE_MPPS)]
        pixels = [source.pixels() for source in sorted(found, key=lambda each: each.path.name)]
        squares = [each[:CROP_PX, :CROP_PX] for each in pixels if min(each.shape[:2]) >= CROP_PX]
        return [*squares, *(np.flip(each, axis) for axis in (0, 1, (0, 1)) for each in squares)]

    def slide(self, columns: int) -> Path:
        """Make a slide of some crops along each side, once."""
        path = self.folder / f"slide-{columns}.tiff"
        if not path.exists():
            crops = [self.crops[index % len(self.crops)] for index in range(columns**2)]
            write_pyramid(path, mosaic(crops, columns), SLIDE_MPP)
        return path

    def job(self, slide: Path, name: str) -> SlideJob:
        """Prepare the tiles of a slide in a folder of its own, in which nothing was searched yet."""
        tiled = self.folder / f"tiled-{slide.stem}"
        if not tiled.exists():
            begun = SlideJob(SheetRow(slide.stem, slide, None, None), tiled)
            for record in (inspect(begun), tile(begun, TileSettings.of(settings("embedded")))):
                check(record)
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tiled, folder)
        return SlideJob(SheetRow(slide.stem, slide, None, None), folder)

    def fields(self) -> Iterator[FieldImage]:
        """Yield fields of a tile's side from the cases that the rule of the adaptive ladder was not chosen on."""
        if self.quick:
            yield from (FieldImage(partial(Image.fromarray, each), 0, 0, TILE_PX) for each in _drawn(self.sizes.fields))
            return
        field_um = settings("embedded").tiling.field_um
        found = [source for source in read_crops(data_root(), TRAINED_ON) if source.mpp <= FINEST_MPP]
        # The rule was chosen on the first, third … case by name.
        held_out = sorted({source.case for source in found})[1::2]
        of_case = [list(_grid([s for s in found if s.case == case], field_um)) for case in held_out]
        places = [each[turn] for turn in range(max(map(len, of_case))) for each in of_case if turn < len(each)]
        for source, left, top in places[: self.sizes.fields]:
            yield FieldImage(partial(Image.open, source.path), left, top, field_um / source.mpp)


def _grid(sources: list[Source], field_um: float) -> list[tuple[Source, int, int]]:
    """Lay fields, each half over the next, on the images of a case, image after image in turn."""
    places = []
    for source in sources:
        with Image.open(source.path) as image:
            width, height = image.size
        side = round(field_um / source.mpp)
        lefts, tops = (range(0, length - side + 1, side // 2) for length in (width, height))
        corners = [(x, y) for y in tops for x in lefts]
        places += [(number, source, *corner) for number, corner in enumerate(corners)]
    return [(source, x, y) for _, source, x, y in sorted(places, key=lambda place: place[0])]


def _within(source: Source, mpps: tuple[float, float]) -> bool:
    return mpps[0] <= source.mpp <= mpps[1]


def _drawn(count: int) -> list[NDArray[np.uint8]]:
    return [render_scene(scene) for scene in truth_scenes(count, seed=5, mpp=SLIDE_MPP, size_px=TILE_PX)]


def settings(network: str, **sections: Any) -> Config:
    """Make a configuration in which everything is tissue, so that the number of tiles is known beforehand."""
    given: dict[str, Any] = {"tissue": {"method": "none"}, "tiling": {"min_tissue": 0}} | sections
    return parse_config({"network": network, **given, "execution": {"device": "cpu", **given.get("execution", {})}})


def check(record: StageRecord) -> None:
    """Give up where a stage did not do its work."""
    if record.status != "ok":
        raise RuntimeError(f"{record.stage}: {record.reason}")


def tile_count(job: SlideJob) -> int:
    """Count the tiles of a job."""
    return len(read_tiles(job.folder)[0])
