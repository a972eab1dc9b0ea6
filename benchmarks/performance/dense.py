"""A dense map, of tiles that overlap by three quarters, against the map of the same slide without overlap."""

import shutil

from benchmarks.performance.material import Bench, check, settings
from benchmarks.performance.searching import Figures, search_seconds, stage_seconds
from benchmarks.performance.timing import seconds_in_turn
from wsi_scale.config.settings import TileSettings
from wsi_scale.stages.tile import tile


def dense_cost(bench: Bench) -> Figures:
    """Seconds of the dense map over those of the full ladder without overlap, embedded network."""
    slide = bench.slide(bench.sizes.growth_columns[0])
    plain = settings("embedded", search={"ladder": "full"})
    dense = settings("embedded", tiling={"min_tissue": 0, "overlap_px": plain.tiling.tile_px * 3 // 4})

    def overlapping() -> float:
        job = bench.job(slide, "dense")
        check(tile(job, TileSettings.of(dense)))
        try:
            return stage_seconds(job, dense)
        finally:
            shutil.rmtree(job.folder)

    took = seconds_in_turn({"plain": lambda: search_seconds(bench, slide, plain), "dense": overlapping}, 2)
    return {"dense_cost": took["dense"] / took["plain"]}, {"seconds": took}
