"""The whole stage `search` in seconds: against all rungs, against a plain loop, against its passes, by network."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.performance.material import Bench, check, settings, tile_count
from benchmarks.performance.plain import PlainLoop
from benchmarks.performance.timing import Work, seconds_in_turn
from wsi_scale.config.models import Config
from wsi_scale.config.settings import SearchSettings
from wsi_scale.execution.compute import default_workers, resolve
from wsi_scale.jobs.job import SlideJob
from wsi_scale.networks import forward
from wsi_scale.stages.search import search

#: Figures, and what they were computed from.
Figures = tuple[dict[str, Any], dict[str, Any]]


def searching(bench: Bench) -> Figures:
    """Search the slide with both networks: every figure that is a ratio of whole searches."""
    measured = {network: Searches(bench, network).measured() for network in bench.networks}
    speeds = {network: each["tiles_per_second"] for network, each in measured.items()}
    figures: dict[str, Any] = {
        "tiles_per_second": speeds,
        "adaptive_vs_full": {name: each["full"] / each["adaptive"] for name, each in measured.items()},
        "search_vs_plain": {name: _over_plain(each) for name, each in measured.items()},
        "pipeline_overhead": {name: each["pipeline_overhead"] for name, each in measured.items()},
    }
    if len(speeds) > 1:
        figures["embedded_vs_vgg19"] = measured["vgg19"]["adaptive"] / measured["embedded"]["adaptive"]
    return figures, measured


def _over_plain(measured: dict[str, Any]) -> dict[str, float]:
    """How many times as fast as the plain loop: with the default reader, and with the faster one."""
    loops = {name: measured[f"plain_{name}"] for name in ("float32", "best")}
    faster = min(measured["adaptive"], measured["adaptive_tifffile"])
    default = {name: seconds / measured["adaptive"] for name, seconds in loops.items()}
    return default | {f"{name}_faster_reader": seconds / faster for name, seconds in loops.items()}


class Searches:
    """Searches of one slide with a network, and the plain loop over the same rungs, in turn."""

    def __init__(self, bench: Bench, network: str) -> None:
        self._bench, self._network = bench, network
        self._slide = bench.slide(bench.sizes.columns)
        # All rungs cost the same for every tile, so that a part of the slide tells.
        part = bench.sizes.part_columns if network == "vgg19" else bench.sizes.columns
        self._full_slide = bench.slide(part)
        self._in_respond: list[float] = []
        self._counted_seconds: list[float] = []

    def measured(self) -> dict[str, Any]:
        """Return seconds a tile (medians) of each way, tiles, and the speed that users see."""
        self._search(self._bench.slide(1), settings(self._network))  # so that nothing is loaded for the first time
        plain = PlainLoop(self._bench, self._network, self._slide)
        tiles, full_tiles = (tile_count(self._bench.job(slide, "count")) for slide in (self._slide, self._full_slide))
        works: dict[str, Work] = {
            "plain_float32": plain.in_float32,
            "adaptive": self._counted,
            "plain_best": plain.in_best_dtype,
            "adaptive_tifffile": self._work(self._slide, slides={"reader": "tifffile"}),
            "full": self._work(self._full_slide, search={"ladder": "full"}),
        }
        counts = {"adaptive": tiles, "adaptive_tifffile": tiles, "full": full_tiles}
        rounds = self._bench.sizes.rounds[self._network]
        # The reader hardly matters where a tile takes a quarter of a second.
        once = ("adaptive_tifffile",) if self._network == "vgg19" else ()
        seconds = seconds_in_turn(works, rounds, once)
        took = {name: each / counts.get(name, plain.tiles) for name, each in seconds.items()}
        config = settings(self._network)
        workers = default_workers(config.execution, resolve(config.execution))
        return took | {
            "tiles": tiles, "tiles_full": full_tiles, "tiles_plain": plain.tiles, "rounds": rounds, "workers": workers,
            "tiles_per_second": {name: 1 / took[name] for name in ("adaptive", "adaptive_tifffile", "full")},
            "in_respond": sum(self._in_respond) / (rounds * tiles),
            "pipeline_overhead": workers * sum(self._counted_seconds) / sum(self._in_respond),
        }  # fmt: skip

    def _counted(self) -> float:
        """Search as by default, and count the seconds that its threads spend in the network's passes."""
        with counting_respond(self._in_respond):
            self._counted_seconds.append(self._search(self._slide, settings(self._network)))
        return self._counted_seconds[-1]

    def _work(self, slide: Path, **sections: dict[str, Any]) -> Work:
        return lambda: self._search(slide, settings(self._network, **sections))

    def _search(self, slide: Path, config: Config) -> float:
        return search_seconds(self._bench, slide, config)


def search_seconds(bench: Bench, slide: Path, config: Config) -> float:
    """Seconds of the whole stage `search` on a slide whose tiles are known."""
    return stage_seconds(bench.job(slide, "search"), config)


def stage_seconds(job: SlideJob, config: Config) -> float:
    """Seconds of the whole stage `search` in a folder that holds tiles."""
    start = time.perf_counter()
    check(search(job, SearchSettings.of(config)))
    return time.perf_counter() - start


@contextmanager
def counting_respond(spent: list[float]) -> Iterator[None]:
    """Note the seconds of each call of ``respond``, by whichever thread."""
    respond: Callable[..., Any] = forward.respond

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return respond(*arguments)
        finally:
            spent.append(time.perf_counter() - start)

    with patch.object(forward, "respond", timed):
        yield
