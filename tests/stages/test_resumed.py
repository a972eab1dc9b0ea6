"""A search or an extraction that was killed goes on after its last finished block, with the same bytes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs import configured, job
from wsi_scale.artifacts.record import Record
from wsi_scale.config.settings import ExtractSettings, SearchSettings, TileSettings
from wsi_scale.execution.blocks import map_blocks
from wsi_scale.jobs.job import SlideJob
from wsi_scale.stages.extract import extract
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile
from wsi_scale.steps import blocks as runs

ARTEFACT = {"search": "scale.ome.zarr", "extract": "features.zarr"}
#: Twenty tiles in blocks of two or three.
CONFIG = configured("tiling.min_tissue=0", "execution.block_tiles=3", "execution.workers=1", "tissue.method=none")


class Killed(BaseException):
    """Ends a run as a signal does."""


class Counter:
    """Counts the blocks that are computed, and kills the run after ``limit`` of them."""

    def __init__(self) -> None:
        self.blocks = 0
        self.limit: int | None = None

    def map_blocks(self, function: Callable[[Any], Any], these: Any, **rest: Any) -> Iterator[Any]:
        for answer in map_blocks(function, these, **rest):
            self.blocks += 1
            yield answer
            if self.blocks == self.limit:
                raise Killed


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counting = Counter()
    monkeypatch.setattr(runs, "map_blocks", counting.map_blocks)
    return counting


def run(stage: str, this: SlideJob) -> Record:
    if stage == "search":
        return search(this, SearchSettings.of(CONFIG))
    return extract(this, ExtractSettings.of(CONFIG))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def tiled(small_slide: Path, tmp_path: Path, own_cache: Path) -> SlideJob:
    """A slide with its tiles."""
    this = job(small_slide, tmp_path / "one")
    inspect(this)
    tile(this, TileSettings.of(CONFIG))
    return this


@pytest.mark.parametrize("stage", ["search", "extract"])
def test_a_killed_run_goes_on_with_the_same_bytes(stage: str, tiled: SlideJob, counter: Counter) -> None:
    if stage == "extract":
        search(tiled, SearchSettings.of(CONFIG))
    counter.blocks = 0
    assert run(stage, tiled).status == "ok"
    whole, expected = counter.blocks, content(tiled.folder / ARTEFACT[stage])
    assert whole == 8

    again = replace(tiled, overwrite=True)
    counter.blocks, counter.limit = 0, 4
    with pytest.raises(Killed):
        run(stage, again)
    counter.blocks, counter.limit = 0, None
    assert run(stage, again).status == "ok"
    # The block that was handed over when the run was killed had been kept.
    assert counter.blocks == whole - 4
    assert content(tiled.folder / ARTEFACT[stage]) == expected
    assert not [path for path in tiled.folder.iterdir() if "progress" in path.name]


def test_blocks_of_other_settings_are_computed_anew(tiled: SlideJob, counter: Counter) -> None:
    counter.limit = 4
    with pytest.raises(Killed):
        run("search", tiled)
    counter.blocks, counter.limit = 0, None
    other = configured("search.ladder=full", "execution.block_tiles=3", "execution.workers=1")
    assert search(tiled, SearchSettings.of(other)).status == "ok"
    assert counter.blocks == 8


def test_blocks_that_nobody_asks_for_any_more_are_removed(tiled: SlideJob, counter: Counter) -> None:
    assert run("search", tiled).status == "ok"
    other = configured("search.ladder=full", "execution.block_tiles=3", "execution.workers=1")
    counter.blocks, counter.limit = 0, 4
    with pytest.raises(Killed):
        search(tiled, SearchSettings.of(other))
    (kept,) = [path for path in tiled.folder.iterdir() if "progress" in path.name]
    counter.limit = None
    assert run("search", tiled).status == "ok"
    assert not kept.exists()
