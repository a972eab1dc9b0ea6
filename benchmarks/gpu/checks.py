"""Search, extraction and prediction, and the filter that they read by: the device against the CPU in float32."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import wsi_scale as ws
from benchmarks.gpu.material import SCENE_MPP, SCENE_PX, Bench
from benchmarks.gpu.record import Outcome
from wsi_scale.config.models import SearchConfig
from wsi_scale.learning.calibrations import ladder_of
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network
from wsi_scale.networks.resample import Cut, Resampler
from wsi_scale.synthesis import write_pyramid

#: Largest median difference of an optimal mpp, octaves, and share of tiles that only one of both may answer.
SEARCH_OCTAVES, ANSWERED_BY_ONE = 0.02, 0.03
#: Largest distance of features from those of the CPU (one less their cosine), and of a prediction, octaves.
FEATURE_DISTANCE, PREDICTED_OCTAVES = 0.001, 0.05
#: float32 on the device differs by rounding alone.
ROUNDING_OCTAVES = 0.001

Dtype = Literal["auto", "float32"]


def resampling(bench: Bench) -> Iterator[Outcome]:
    """Resample fields to every rung, from a region of noise and of tissue, and compare with Pillow."""
    sizes = rungs_of(find_network("embedded").tapped(["C1_1"]))
    worst, unequal = 0, 0.0
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    resampler = Resampler(bench.compute.torch_device)
    cuts = [Cut((x, x, x + 452, x + 452), (1 + x / 1000, 1.25, 449 + x / 1000, 449.25)) for x in (0, 149, 448)]
    for region in (noise, np.tile(bench.tissue, (3, 3, 1))[:900, :900].copy()):
        there = torch.from_numpy(region).to(bench.compute.torch_device)
        for size in sizes:
            images = resampler.resample(there, cuts, size).cpu().numpy()
            for image, cut in zip(images, cuts, strict=True):
                difference = np.abs(image.astype(int) - _by_pillow(region, cut, size))
                worst, unequal = max(worst, int(difference.max())), max(unequal, float((difference > 0).mean()))
    yield Outcome("resampling: largest difference from Pillow, grey levels", worst, 0)
    yield Outcome("resampling: share of pixels that differ from Pillow's", unequal, 0)


def resampling_without_waiting(bench: Bench) -> Iterator[Outcome]:
    """Resample with kept weights, where waiting for the device is an error."""
    resampler = Resampler(bench.compute.torch_device)
    region = torch.from_numpy(bench.tissue[:SCENE_PX, :SCENE_PX].copy()).to(bench.compute.torch_device)
    cuts = [Cut((0, 0, SCENE_PX, SCENE_PX), (0, 0, SCENE_PX, SCENE_PX))] * 4
    resampler.resample(region, cuts, 112)
    if bench.device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        resampler.resample(region, cuts, 112)
    finally:
        if bench.device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    yield Outcome("resampling: waits for the device", 0, 0)


def search_embedded(bench: Bench) -> Iterator[Outcome]:
    """Search with the embedded network, in float32 and in the dtype that the device chooses."""
    yield from _searched(bench, "embedded", bench.searched, {})


def search_published(bench: Bench) -> Iterator[Outcome]:
    """Search as published, on its grid of sizes."""
    settings: dict[str, Any] = {"method": "published"}
    cpu = ws.search_scale(bench.tissue, bench.tiles, device="cpu", dtype="float32", **settings)
    yield from _searched(bench, "published", cpu, settings)


def search_vgg19(bench: Bench) -> Iterator[Outcome]:
    """Search with VGG19."""
    settings: dict[str, Any] = {"network": "vgg19"}
    cpu = ws.search_scale(bench.tissue, bench.tiles, device="cpu", dtype="float32", **settings)
    yield from _searched(bench, "vgg19", cpu, settings)


def extraction(bench: Bench) -> Iterator[Outcome]:
    """Extract features at fixed mpps and at the optimal one, of the same scale map."""
    mpps = (0.5, 1.0)
    cpu = ws.extract_features(
        bench.tissue, bench.tiles, mpps=mpps, optimal=bench.searched, device="cpu", dtype="float32"
    )
    for dtype in _dtypes(bench):
        there = ws.extract_features(
            bench.tissue, bench.tiles, mpps=mpps, optimal=bench.searched, device=_device(bench), dtype=dtype
        )
        for index, mpp in enumerate(mpps):
            distance = _distance(there.features[:, index], cpu.features[:, index])
            yield Outcome(f"extract {dtype}: distance at {mpp} µm/px", distance, FEATURE_DISTANCE)
        optimal = _distance(there.features_optimal, cpu.features_optimal)
        yield Outcome(f"extract {dtype}: distance at the optimal mpp", optimal, FEATURE_DISTANCE)


def prediction(bench: Bench) -> Iterator[Outcome]:
    """Estimate the tissue's mpp from its pixels, and from each downsample alone."""
    tissue = np.tile(bench.tissue, (2, 2, 1))
    cpu, there = (
        ws.estimate_mpp(tissue, tiles_per_slide=bench.sizes.predicted_tiles, device=device)
        for device in ("cpu", _device(bench))
    )
    yield Outcome("predict: one answers and one abstains", int(cpu.status != there.status), 0)
    pairs = [(cpu.by_downsample[key], there.by_downsample[key]) for key in cpu.by_downsample]
    if cpu.mpp and there.mpp:
        pairs.append((cpu.mpp, there.mpp))
    octaves = max(abs(float(np.log2(b / a))) for a, b in pairs)
    yield Outcome("predict: largest |Δ log2 mpp|", octaves, PREDICTED_OCTAVES)


def slide_file(bench: Bench) -> Iterator[Outcome]:
    """Run all stages on a slide that is a file, read by OpenSlide and written as Zarr."""
    path = bench.folder / "drawn.tiff"
    write_pyramid(path, bench.tissue, SCENE_MPP)

    def searched(device: str) -> ws.ScaleMap:
        result = ws.run(
            path,
            bench.folder / f"run-{device}",
            tissue={"method": "none"},
            tiling={"min_tissue": 0},
            execution={"device": device, "dtype": "float32"},
        )
        if result.status != "ok" or result.scale_map is None:
            raise RuntimeError(f"the run on {device} ended with {result.status}: {result.reason}")
        return result.scale_map

    yield from _alike("run of a file float32", searched("cpu"), searched(_device(bench)), ROUNDING_OCTAVES)


def rungs_of(network: Network) -> tuple[int, ...]:
    """Sides of the images on which a network sees a tile, finest first, pixels."""
    return ladder_of(SCENE_PX * SCENE_MPP, network, SearchConfig()).sizes_px


def _searched(bench: Bench, name: str, cpu: ws.ScaleMap, settings: dict[str, Any]) -> Iterator[Outcome]:
    for dtype in _dtypes(bench):
        there = ws.search_scale(bench.tissue, bench.tiles, device=_device(bench), dtype=dtype, **settings)
        most = ROUNDING_OCTAVES if dtype == "float32" else SEARCH_OCTAVES
        yield from _alike(f"search {name} {dtype}", cpu, there, most)


def _alike(label: str, cpu: ws.ScaleMap, there: ws.ScaleMap, octaves: float) -> Iterator[Outcome]:
    answered = np.isfinite(cpu.optimal_mpp), np.isfinite(there.optimal_mpp)
    both = answered[0] & answered[1]
    difference = np.abs(np.log2(there.optimal_mpp[both] / cpu.optimal_mpp[both]))
    median = float(np.median(difference)) if both.any() else math.nan
    yield Outcome(f"{label}: median |Δ log2 mpp|", median, octaves)
    unlike = float((answered[0] != answered[1]).mean())
    yield Outcome(f"{label}: share of tiles that one alone answers", unlike, ANSWERED_BY_ONE)


def _distance(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """One less the smallest cosine of a tile's features; NaN where there is none, 1 where one alone has features."""
    has = np.isfinite(found).all(axis=1), np.isfinite(expected).all(axis=1)
    if (has[0] != has[1]).any():
        return 1.0
    a, b = found[has[0]].astype(np.float64), expected[has[0]].astype(np.float64)
    cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float(1 - cosine.min()) if len(cosine) else float("nan")


def _by_pillow(region: NDArray[np.uint8], cut: Cut, size: int) -> NDArray[np.int64]:
    left, top, right, bottom = cut.window
    part = Image.fromarray(np.ascontiguousarray(region[top:bottom, left:right]))
    return np.asarray(part.resize((size, size), Image.Resampling.BILINEAR, box=cut.box)).astype(np.int64)


def _dtypes(bench: Bench) -> tuple[Dtype, ...]:
    """Choose the dtypes to compare: both where the device chooses another than float32."""
    return ("float32",) if bench.compute.dtype == "float32" else ("float32", "auto")


def _device(bench: Bench) -> Literal["cpu", "cuda"]:
    return "cuda" if bench.device == "cuda" else "cpu"
