"""Extraction against LazySlide: same slide, same layer of the same network pooled over space, same batch.

``make bench-lazyslide`` installs LazySlide into an environment of its own, which shares this one's torch.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from benchmarks.performance.material import Bench, check, settings
from benchmarks.performance.record import LeftOutError
from benchmarks.performance.searching import Figures
from benchmarks.performance.timing import Work, seconds_in_turn
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.config.models import Config
from wsi_scale.config.settings import ExtractSettings
from wsi_scale.execution.compute import resolve
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.places import weights_folder, weights_in
from wsi_scale.stages.extract import extract

PYTHON = RESULTS / "lazyslide-venv" / "bin" / "python"
SCRIPT = Path(__file__).with_name("lazyslide_script.py")
NETWORK, MPP = "vgg19", 0.5

#: (x, y) of a tile in level-0 pixels → its features.
Features = dict[tuple[int, int], NDArray[np.float32]]


def extract_vs_lazyslide(bench: Bench) -> Figures:
    """Tiles a second of `extract` over LazySlide's: as each runs by default, and in the same dtype; cosine."""
    if bench.lacking:
        raise LeftOutError(bench.lacking)
    if not PYTHON.exists():
        raise LeftOutError("LazySlide is not installed; run `make bench-lazyslide`")
    best = resolve(_config("auto").execution).dtype
    ours, theirs = Ours(bench), Theirs(bench)
    works: dict[str, Work] = {}
    for dtype in dict.fromkeys(("float32", best)):
        works |= {f"ours_{dtype}": ours.work(dtype), f"lazyslide_{dtype}": theirs.work(dtype)}
    seconds = seconds_in_turn(works, 1)
    figures = {"default": seconds["lazyslide_float32"] / seconds[f"ours_{best}"]}
    figures |= {dtype: seconds[f"lazyslide_{dtype}"] / seconds[f"ours_{dtype}"] for dtype in ours.features}
    cosines = {dtype: _cosine(found, theirs.features[dtype]) for dtype, found in ours.features.items()}
    figures["cosine"] = min(cosines.values())
    tiles = len(theirs.features["float32"])
    measured = {"tiles": tiles, "batch": theirs.batch} | {f"cosine_{dtype}": value for dtype, value in cosines.items()}
    rates = {f"tiles_per_second_{way}": tiles / took for way, took in seconds.items()}
    return {"extract_vs_lazyslide": figures}, measured | rates | theirs.versions


def _config(dtype: str) -> Config:
    features = {"mpps": [MPP], "optimal": False}
    return settings(NETWORK, features=features, execution={"dtype": dtype})


def _cosine(ours: Features, theirs: Features) -> float:
    """Lowest cosine of all tiles."""
    if ours.keys() != theirs.keys():
        raise ValueError("LazySlide's tiles lie elsewhere than ours")

    def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    return min(cosine(ours[corner].astype(np.float64), theirs[corner].astype(np.float64)) for corner in ours)


class Ours:
    """Our extraction; dtype → features."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.features: dict[str, Features] = {}
        self._extract("float32", bench.slide(1))  # so that nothing is loaded for the first time

    def work(self, dtype: str) -> Work:
        """Extract from the slide in a dtype."""
        return lambda: self._extract(dtype, self._bench.slide(self._bench.sizes.growth_columns[0]))

    def _extract(self, dtype: str, slide: Path) -> float:
        job = self._bench.job(slide, "extract")
        start = time.perf_counter()
        check(extract(job, ExtractSettings.of(_config(dtype))))
        seconds = time.perf_counter() - start
        tiles, found = read_tiles(job.folder)[0], read_features(job.folder)
        self.features[dtype] = {
            (int(x), int(y)): np.asarray(each)
            for x, y, each in zip(tiles.x, tiles.y, found.features[:, 0], strict=True)
        }
        return seconds


class Theirs:
    """LazySlide's extraction in its own environment; dtype → features."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.batch = resolve(_config("auto").execution).batch_size(_config("auto").tiling.tile_px)
        self.features: dict[str, Features] = {}
        self.versions: dict[str, Any] = {}

    def work(self, dtype: str) -> Work:
        """Extract from the slide in a dtype; its own seconds, without starting Python."""
        return lambda: self._extract(dtype)

    def _extract(self, dtype: str) -> float:
        known, target = architecture(NETWORK), self._bench.folder / f"lazyslide-{dtype}.npz"
        request = {
            "slide": str(self._bench.slide(self._bench.sizes.growth_columns[0])),
            "first": str(self._bench.slide(1)),
            "weights": str(weights_in(weights_folder(), NETWORK)[0]),
            "modules": int(known.nodes[known.feature_layer].rsplit(".", 1)[1]) + 1,
            "mpp": MPP, "tile_px": 224, "batch": self.batch, "dtype": dtype, "target": str(target),
        }  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        # -P: the script's folder holds modules of the names of packages.
        command = [str(PYTHON), "-P", str(SCRIPT), json.dumps(request)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"LazySlide: {done.stderr.strip()[-400:]}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        found = np.load(target)
        corners = [(int(x), int(y)) for x, y in found["corners"]]
        self.features[dtype] = dict(zip(corners, found["features"], strict=True))
        self.versions = answer["versions"]
        return float(answer["seconds"])
