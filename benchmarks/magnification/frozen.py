"""Frozen VGG19 with a head of the same kind, trained on the same cases: what the embedded network is compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import RESULTS
from benchmarks.magnification.cache import Extract, draw_features, tile_features
from benchmarks.magnification.draws import LEAST_VIEWS, Source, slide_draws
from benchmarks.magnification.estimators import FOLDS, LEFT_OUT, answer_to, kept_out
from benchmarks.magnification.figures import Answer, octave_mean, tile_figures
from benchmarks.magnification.home import MAIN_UP_TO, tissue
from wsi_scale.config.models import ExecutionConfig
from wsi_scale.config.training import TrainingConfig
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.learning.drawn_tiles import TileDraw, draw_responses, training_span
from wsi_scale.learning.heads import fit_head
from wsi_scale.magnification.density import level_density
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.magnification.sampling import SourceField
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network

#: Layers that the head reads, and the tiles that it is trained on.
LAYERS = ("C2_2", "C3_4", "C4_4")
TRAINING_TILES, TRAINING_PX, BATCH = 4000, 128, 50


def measure(root: Path, slide_median_octaves: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of frozen VGG19, under the names of the embedded network's with vgg19_ before them."""
    compute = resolve(ExecutionConfig(dtype="float32", threads=2))
    network = place(find_network("vgg19").tapped(LAYERS), compute)

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return log_features(pooled_responses(network, level_density(images), compute))

    sources = tissue(root)
    heads = train_heads(sources, network, compute)
    home = [a for split in FOLDS for a in _answers(sources, split, heads[split], extract, network.digest, None)]
    left_out = {
        split: _answers(sources, split, heads[split], extract, network.digest, scanner)
        for split, scanner in LEFT_OUT.items()
    }
    tiles = _tiles(sources, heads, extract, network.digest)
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


def train_heads(sources: Sequence[Source], network: Network, compute: Compute) -> dict[str, Regressor]:
    """One head a split, each on the cases that it may see."""
    features, truth, groups = training_tiles(sources, network, compute)
    heads = {}
    for split in (*FOLDS, *LEFT_OUT):
        seen = ~np.isin(groups, sorted(kept_out(split)))
        heads[split] = Regressor.of_head(fit_head(features[seen], truth[seen], groups[seen].tolist(), seed=0))
    return heads


def training_tiles(
    sources: Sequence[Source], network: Network, compute: Compute
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Features of augmented tiles of all cases, their log2 mpp and cases; kept for the next run."""
    path = RESULTS / "features" / network.digest[:16] / "training.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fields = [SourceField(source.pixels(), source.mpp, source.case) for source in sources]
        draw = TileDraw(training_span(TrainingConfig()), TRAINING_TILES, BATCH, TRAINING_PX, (55,), "features")
        drawn = draw_responses(fields, draw, network, compute)
        features = log_features(drawn.responses).astype(np.float32)
        np.savez(path, features=features, truth=drawn.log2_mpp, groups=drawn.cases)
    stored = np.load(path)
    return stored["features"].astype(np.float64), stored["truth"], stored["groups"]


def _answers(
    sources: Sequence[Source], split: str, regressor: Regressor, extract: Extract, digest: str, scanner: str | None
) -> list[Answer]:
    unseen = kept_out(split)
    chosen = [s for s in sources if s.case in unseen and scanner in (None, s.scanner)]
    draws = [draw for draw in slide_draws(chosen) if draw.octave < MAIN_UP_TO]
    features = draw_features(draws, extract, digest)
    answers = [answer_to(draw, features[draw.key], regressor) for draw in draws]
    return [answer for answer in answers if answer.views >= LEAST_VIEWS and np.isfinite(answer.log2_mpp)]


def _tiles(sources: Sequence[Source], heads: dict[str, Regressor], extract: Extract, digest: str) -> dict[str, float]:
    features, truth, cases = tile_features(list(enumerate(sources)), extract, f"{digest[:16]}/tiles")
    said = np.full(len(truth), np.nan)
    for split in FOLDS:
        mine = np.isin(cases, sorted(kept_out(split)))
        said[mine] = heads[split].predict_tiles(features[mine]).log2_mpp
    return tile_figures(said, truth)
