"""Frozen VGG19 with a head of the same kind, trained on the same cases: what the embedded network is compared with."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import Arrays, kept_arrays, network_identity
from benchmarks.magnification.draws import LEAST_VIEWS, slide_draws
from benchmarks.magnification.estimators import FOLDS, LEFT_OUT, answer_to, kept_out
from benchmarks.magnification.features import draw_features, tile_features
from benchmarks.magnification.figures import Answer, octave_mean, tile_figures
from benchmarks.magnification.home import MAIN_UP_TO
from benchmarks.sources import TRAINED_ON, Source, read_crops
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.config.training import TrainingConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.learning.drawn_tiles import TileDraw, draw_responses, training_span
from wsi_scale.learning.heads import fit_head
from wsi_scale.magnification.density import normalise_density
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.magnification.sampling import SourceField
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network

#: Layers that the head reads, and the tiles that it is trained on.
LAYERS = ("C2_2", "C3_4", "C4_4")
TRAINING_TILES, TRAINING_PX, BATCH = 4000, 128, 50


@dataclass(frozen=True)
class FrozenNetwork:
    """A placed network whose features are read as those of the embedded one are."""

    network: Network
    compute: Compute

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Log features of tiles, brought to one density: (tile, row, col, rgb) → (tile, feature)."""
        return log_features(pooled_responses(self.network, normalise_density(images), self.compute))


def measure(root: Path, slide_median_octaves: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of frozen VGG19, under the names of the embedded network's with vgg19_ before them."""
    frozen = frozen_vgg19()
    sources = read_crops(root, TRAINED_ON)
    heads = train_heads(sources, frozen)
    home = [a for split in FOLDS for a in _answers(sources, split, heads[split], frozen)]
    left_out = {
        split: _answers([s for s in sources if s.scanner == scanner], split, heads[split], frozen)
        for split, scanner in LEFT_OUT.items()
    }
    tiles = _tiles(sources, heads, frozen)
    median = round(octave_mean(home, "median"), 4)
    found = {
        "vgg19_tile_r2": tiles["r2"],
        "vgg19_tile_mae_um": tiles["mae_um"],
        "vgg19_slide_median_octaves": median,
        "vgg19_slide_within_quarter_octave": round(octave_mean(home, "within"), 4),
        "vgg19_scanner_out_median_octaves": round(max(octave_mean(a, "median") for a in left_out.values()), 4),
        "embedded_gap_octaves": round(slide_median_octaves - median, 4),
    }
    return found, {"scanner_out": {split: octave_mean(a, "median") for split, a in left_out.items()}, "tile": tiles}


@cache
def frozen_vgg19() -> FrozenNetwork:
    """Place VGG19 as ImageNet left it, at the layers that heads read."""
    compute = resolve(ExecutionConfig(dtype="float32", threads=2))
    return FrozenNetwork(place(find_network("vgg19").tapped(LAYERS), compute), compute)


def train_heads(sources: Sequence[Source], frozen: FrozenNetwork) -> dict[str, Regressor]:
    """One head a split, each on the cases that it may see."""
    features, truth, groups = training_tiles(sources, frozen)
    heads = {}
    for split in (*FOLDS, *LEFT_OUT):
        seen = ~np.isin(groups, sorted(kept_out(split)))
        heads[split] = Regressor.of_head(fit_head(features[seen], truth[seen], groups[seen].tolist(), seed=0))
    return heads


def training_tiles(
    sources: Sequence[Source], frozen: FrozenNetwork
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Features of augmented tiles of all cases, their log2 mpp and cases."""
    span = training_span(TrainingConfig())
    draw = TileDraw(span, TRAINING_TILES, BATCH, TRAINING_PX, (55,), "features")

    def make() -> Arrays:
        fields = [SourceField(source.pixels(), source.mpp, source.case) for source in sources]
        drawn = draw_responses(fields, draw, frozen.network, frozen.compute)
        features = log_features(drawn.responses).astype(np.float32)
        return {"features": features, "truth": drawn.log2_mpp, "groups": drawn.cases}

    depends_on = network_identity(frozen.network, frozen.compute) | {
        "fields": [[source.case, *source.identity] for source in sources],
        "draw": asdict(draw),
    }
    kept = kept_arrays("training", depends_on, make)
    return kept["features"].astype(np.float64), kept["truth"], kept["groups"]


def _answers(sources: Sequence[Source], split: str, regressor: Regressor, frozen: FrozenNetwork) -> list[Answer]:
    unseen = kept_out(split)
    draws = [d for d in slide_draws([s for s in sources if s.case in unseen]) if d.octave < MAIN_UP_TO]
    features = draw_features(draws, frozen)
    answers = [answer_to(draw, features[draw.key], regressor) for draw in draws]
    return [answer for answer in answers if answer.views >= LEAST_VIEWS and np.isfinite(answer.log2_mpp)]


def _tiles(sources: Sequence[Source], heads: dict[str, Regressor], frozen: FrozenNetwork) -> dict[str, float]:
    features, truth, cases = tile_features(list(enumerate(sources)), frozen)
    log2_mpp = np.full(len(truth), np.nan)
    for split in FOLDS:
        unseen = np.isin(cases, sorted(kept_out(split)))
        log2_mpp[unseen] = heads[split].predict_tiles(features[unseen]).log2_mpp
    return tile_figures(log2_mpp, truth)
