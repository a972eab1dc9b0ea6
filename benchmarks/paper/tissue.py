"""Figures 7 and 8: what the layers of VGG19 answer to tissue over a wide ladder of µm per pixel."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.cache import Arrays, compute_here, kept_arrays, network_identity
from benchmarks.paper.photographs import SEED
from benchmarks.paper.study import Study, new_figure, rounded, save
from benchmarks.sources import Source, read_crops
from wsi_scale.networks.forward import ladder_responses, place
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network
from wsi_scale.scale.ladder import Ladder, geometric_ladder
from wsi_scale.scale.optimum import interior_optimum

NETWORK = "vgg19"
#: Tissues with fewer cases are counted together.
FEWEST = 4


@dataclass(frozen=True)
class Span:
    """A folder of crops, and the fields and ladder at which they are seen; no field is enlarged.

    Attributes
    ----------
    folder
        Of the data.
    field_um
        Side of the field, in the middle of the crop.
    finest_mpp, coarsest_mpp
        Ends of the ladder; coarser crops are left out.
    """

    folder: str
    field_um: float
    finest_mpp: float
    coarsest_mpp: float

    def ladder(self, network: Network) -> Ladder:
        """Lay the ladder: three rungs an octave."""
        return geometric_ladder(
            self.field_um,
            finest_mpp=self.finest_mpp,
            coarsest_mpp=self.coarsest_mpp,
            rungs_per_octave=3,
            multiple_px=network.stride,
            min_px=2 * network.stride,
        )

    def crops(self, root: Path) -> list[Source]:
        """One crop of H&E a case, the first by name; cases in a random order that is always the same."""
        first: dict[str, Source] = {}
        for crop in sorted(read_crops(root, (self.folder,)), key=lambda crop: crop.path.name):
            if crop.mpp <= self.finest_mpp:
                first.setdefault(crop.case, crop)
        places = np.random.default_rng(SEED).permutation(len(first))
        order = dict(zip(sorted(first), places, strict=True))
        return [crop for _, crop in sorted(first.items(), key=lambda item: order[item[0]])]


SPANS = {"fine": Span("tissue", 128.0, 0.267, 4.0), "coarse": Span("tissue_wide", 448.0, 1.07, 14.0)}


def field(crop: Source, field_um: float, size_px: int) -> NDArray[np.uint8]:
    """Cut the field from the middle of a crop, at a size; (1, row, col, rgb)."""
    with Image.open(crop.path) as image:
        left, top = ((extent - field_um / crop.mpp) / 2 for extent in image.size)
        box = (left, top, image.width - left, image.height - top)
        return np.asarray(image.convert("RGB").resize((size_px, size_px), Image.Resampling.BILINEAR, box))[None]


def figure(study: Study) -> dict[str, Any]:
    """Measure curves and optima, print and draw."""
    source = find_network(NETWORK)
    network = source.tapped(source.architecture.block_ends)
    picture = new_figure(11, 5)
    panels = picture.subplots(len(SPANS), len(network.layers), squeeze=False)
    table: dict[str, dict[str, Any]] = {}
    for row, (name, span) in zip(panels, SPANS.items(), strict=True):
        crops = span.crops(study.root)[: study.count]
        ladder = span.ladder(network)
        parts = [_kept(network, crop, span, ladder) for crop in crops]
        responses = {layer.name: np.stack([part[layer.name][0] for part in parts]) for layer in network.layers}
        log2_mpp = np.log2(ladder.mpps)
        table[name] = {"field_um": span.field_um, "mpp": rounded(np.array(ladder.mpps)), "cases": len(crops)} | {
            layer: _by_tissue(values, log2_mpp, [crop.organ for crop in crops]) for layer, values in responses.items()
        }
        for axes, (layer, values) in zip(row, responses.items(), strict=True):
            _draw(axes, f"{layer}, {name}", values.mean(axis=1, dtype=np.float64), log2_mpp)
            for tissue, found in table[name][layer].items():
                print(f"{name} {layer} {tissue}: {found}")
    picture.supylabel("mean response of all channels over its maximum", fontsize=9)
    save(picture, "tissue")
    return table


def merged(values: NDArray[np.float64], log2_mpp: NDArray[np.float64]) -> NDArray[np.float64]:
    """(crop, rung) mean response of the channels of (crop, channel, rung) whose maximum is inside; NaN without any."""
    kept = np.isfinite(interior_optimum(values, log2_mpp))
    count = kept.sum(axis=1)[:, None]
    mean = np.where(kept[:, :, None], values, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def optima(values: NDArray[np.floating], log2_mpp: NDArray[np.float64]) -> dict[str, Any]:
    """How often a layer (crop, channel, rung) has an interior optimum, and at which µm per pixel.

    Returns
    -------
    figures
        Of the mean over all channels: the share of crops with an interior optimum, and quartiles of its mpp. Of the
        mean over the channels whose own maximum is inside: the same, though that one is inside by their choice says
        little. Of single channels: the share with one.
    """
    exact = values.astype(np.float64)
    curves = {"all": exact.mean(axis=1), "kept": merged(exact, log2_mpp)}
    found: dict[str, Any] = {"cases": len(values)}
    for name, curve in curves.items():
        optimum = interior_optimum(curve, log2_mpp)
        inside = optimum[np.isfinite(optimum)]
        quartiles = rounded(2 ** np.quantile(inside, (0.25, 0.5, 0.75))) if len(inside) else None
        found[name] = {"inside": round(len(inside) / len(curve), 3), "mpp": quartiles}
    found["channels inside"] = round(float(np.isfinite(interior_optimum(exact, log2_mpp)).mean()), 3)
    return found


def _by_tissue(values: NDArray[np.floating], log2_mpp: NDArray[np.float64], organs: Sequence[str]) -> dict[str, Any]:
    # How an organ was told, or a further stain of the block, stands in brackets.
    plain = [organ.split(" (")[0].replace("unknown", "not named") for organ in organs]
    often = {organ for organ, count in Counter(plain).items() if count >= FEWEST}
    tissues = np.array([organ if organ in often else "others" for organ in plain])
    rows = {"all": optima(values, log2_mpp)}
    return rows | {name: optima(values[tissues == name], log2_mpp) for name in sorted({*tissues})}


def _kept(network: Network, crop: Source, span: Span, ladder: Ladder) -> Arrays:
    compute = compute_here()
    depends_on = network_identity(network, compute) | {
        "image": crop.identity,
        "field_um": span.field_um,
        "sizes": ladder.sizes_px,
    }

    def make() -> Arrays:
        images = [field(crop, span.field_um, size) for size in ladder.sizes_px]
        return dict(ladder_responses(place(network, compute), images, compute))

    return kept_arrays("paper-tissue", depends_on, make)


def _draw(axes: Any, title: str, curves: NDArray[np.float64], log2_mpp: NDArray[np.float64]) -> None:
    scaled = curves / np.nanmax(curves, axis=1, keepdims=True)
    low, middle, high = np.nanquantile(scaled, (0.25, 0.5, 0.75), axis=0)
    axes.fill_between(log2_mpp, low, high, color="#1f4e8c", alpha=0.2, linewidth=0)
    axes.plot(log2_mpp, middle, color="#1f4e8c")
    optimum = interior_optimum(curves, log2_mpp)
    axes.plot(optimum, np.full(len(optimum), 1.03), "|", color="#e07b00")
    axes.set_title(f"{title}\noptimum inside: {np.isfinite(optimum).mean():.0%}", fontsize=8.5)
    ticks = np.arange(np.ceil(log2_mpp[0] - 0.1), log2_mpp[-1] + 0.1)
    axes.set_xticks(ticks, labels=[f"{2**tick:g}" for tick in ticks], fontsize=8)
    axes.set(xlabel="µm/px", ylim=(0, 1.08))
    axes.spines[["top", "right"]].set_visible(False)
