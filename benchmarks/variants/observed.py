"""Responses to drawn scenes and to real tissue at two scales, on all rungs, kept between runs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.cache import images_identity, kept_arrays, network_identity
from benchmarks.sources import Source, read_crops
from wsi_scale.execution.compute import Compute
from wsi_scale.learning.calibrations import SCENE_UM, respond_to_scenes
from wsi_scale.networks.network import Network
from wsi_scale.scale.ladder import Ladder
from wsi_scale.synthesis.scene import Scene, render_scene

#: Scenes and fields: 448 px of 0.25 µm/px.
SIDE_PX, MPP = 448, 0.25
#: Crops that are read, µm/px: 224 µm fit into them.
MPPS = (0.25, 0.275)
#: Fields of a region that is seen at half its size too.
PARTS = 4
JPEG_QUALITY = 85


@dataclass(frozen=True)
class Observed:
    """Responses to images of one side.

    Attributes
    ----------
    responses
        Layer → (image, channel, rung), float32.
    log2_mpp
        (rung,), finest first.
    """

    responses: dict[str, NDArray[np.float32]]
    log2_mpp: NDArray[np.float64]

    def at_rungs(self, rungs: Sequence[int]) -> "Observed":
        """Return the responses on some of the rungs."""
        kept = list(rungs)
        return Observed({name: each[..., kept] for name, each in self.responses.items()}, self.log2_mpp[kept])

    def of_images(self, images: NDArray[np.integer]) -> "Observed":
        """Return the responses to some of the images."""
        return Observed({name: each[images] for name, each in self.responses.items()}, self.log2_mpp)


def observe(network: Network, images: NDArray[np.uint8], ladder: Ladder, compute: Compute, name: str) -> Observed:
    """Pass images (image, row, col, rgb) through a network on every rung, once."""
    depends_on = network_identity(network, compute) | {
        "images": images_identity(images), "sizes": list(ladder.sizes_px)
    }  # fmt: skip
    responses = kept_arrays(
        f"variants-{name}", depends_on, lambda: respond_to_scenes(network, list(images), ladder, compute)
    )
    return Observed(responses, np.log2(ladder.mpps))


def render(scenes: Sequence[Scene]) -> NDArray[np.uint8]:
    """Draw scenes: (scene, row, col, rgb)."""
    return np.stack([render_scene(scene) for scene in scenes])


def tissue_pairs(root: Path) -> NDArray[np.uint8]:
    """Show a region of each case in four fields, and the whole of it shrunken to half its size.

    The shrunken image keeps the mpp of the others, as a file with a wrong header does: whatever follows size must
    answer with half the optimal mpp. Noise and JPEG come after the resizing, so that they tell nothing.

    Returns
    -------
    ndarray
        (region, 5, row, col, rgb) uint8: upper left, upper right, lower left, lower right, and the whole.
    """
    found = [source for source in read_crops(root) if MPPS[0] <= source.mpp <= MPPS[1] and source.tissue_fraction > 0.9]
    by_case = {source.case: source for source in found}
    return np.stack([_region(source, seed) for seed, (_, source) in enumerate(sorted(by_case.items()))])


def _region(source: Source, seed: int) -> NDArray[np.uint8]:
    side = 2 * SCENE_UM / source.mpp
    image = Image.fromarray(source.pixels())
    left, top = ((length - side) / 2 for length in image.size)
    box = (left, top, left + side, top + side)
    whole = np.asarray(image.resize((2 * SIDE_PX, 2 * SIDE_PX), Image.Resampling.BILINEAR, box=box))
    half = np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=box))
    parts = [whole[row : row + SIDE_PX, col : col + SIDE_PX] for row in (0, SIDE_PX) for col in (0, SIDE_PX)]
    rng = np.random.default_rng(seed)
    return np.stack([_as_file(part, rng) for part in (*parts, half)])


def _as_file(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    noisy = np.clip(np.rint(image + rng.normal(0, 2, image.shape)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noisy).save(stream, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(stream))


def row_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(row,) median of what is finite; NaN where nothing is."""
    some = np.isfinite(values).any(axis=1)
    median = np.full(len(values), np.nan)
    median[some] = np.nanmedian(values[some], axis=1)
    return median
