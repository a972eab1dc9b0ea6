"""All tiles of a slide at level 0: in blocks, as searches read them, against OpenSlide tile by tile."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import get_args

import numpy as np
import openslide
from numpy.typing import NDArray

from benchmarks.performance.material import TILE_PX, Bench, settings
from benchmarks.performance.searching import Figures
from wsi_scale.execution.compute import resolve, work_sizes
from wsi_scale.slides.field import Field
from wsi_scale.slides.field_block import FieldBlock
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.slide import Reader, Slide
from wsi_scale.steps.order import neighbouring

Corners = list[tuple[int, int]]


def read_vs_openslide(bench: Bench) -> Figures:
    """Read block after block with each reader and tile by tile, in turn, in one thread; pixels must be equal."""
    path = bench.slide(bench.sizes.columns)
    readers: tuple[Reader, ...] = get_args(Reader)
    seconds: dict[str, list[float]] = {}
    for _ in range(min(3, bench.sizes.short_rounds)):
        took: dict[str, float] = {"tile_by_tile": 0, **dict.fromkeys(readers, 0)}
        with ExitStack() as stack:
            plain = stack.enter_context(openslide.OpenSlide(path))
            slides = {reader: stack.enter_context(open_slide(path, reader)) for reader in readers}
            tiles = 0
            for corners in _blocks(plain.dimensions):
                tiles += len(corners)
                _read_in_turn(plain, slides, corners, took)
        for way, value in took.items():
            seconds.setdefault(way, []).append(value)
    medians = {way: float(np.median(values)) for way, values in seconds.items()}
    figures = {reader: medians["tile_by_tile"] / medians[reader] for reader in readers}
    return {"read_vs_openslide": figures}, {"tiles": tiles} | {
        f"tiles_per_second_{way}": tiles / value for way, value in medians.items()
    }


def _blocks(size: tuple[int, int]) -> Iterator[Corners]:
    columns, rows = (length // TILE_PX for length in size)
    row, column = np.divmod(np.arange(rows * columns), columns)
    block = work_sizes(settings("embedded").execution, resolve(settings("embedded").execution).device).block_tiles
    for numbers in neighbouring(row, column, block):
        yield [(int(column[n]) * TILE_PX, int(row[n]) * TILE_PX) for n in numbers]


def _read_in_turn(
    plain: openslide.OpenSlide, slides: dict[Reader, Slide], corners: Corners, took: dict[str, float]
) -> None:
    """Read one block in every way, and add the seconds of each."""
    start = time.perf_counter()
    expected = [np.asarray(plain.read_region(c, 0, (TILE_PX, TILE_PX)).convert("RGB")) for c in corners]
    took["tile_by_tile"] += time.perf_counter() - start
    for reader, slide in slides.items():
        start = time.perf_counter()
        found = _read(slide, corners)
        took[reader] += time.perf_counter() - start
        if not all(map(np.array_equal, found, expected)):
            raise ValueError(f"{reader}: pixels differ from OpenSlide's")


def _read(slide: Slide, corners: Corners) -> list[NDArray[np.uint8]]:
    block = FieldBlock(slide, [Field(x, y, TILE_PX, TILE_PX) for x, y in corners])
    return block.read(range(len(corners)), (TILE_PX, TILE_PX))
