"""`prune layers`: a network → the part of it that predicts µm per pixel best, with a regressor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.regressor import write_regressor
from wsi_scale.config.models import Config
from wsi_scale.config.training import TrainingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import resolve
from wsi_scale.execution.progress import progress
from wsi_scale.learning.drawn_tiles import DrawnTiles, TileDraw, draw_responses, training_span
from wsi_scale.learning.estimator import stored_form
from wsi_scale.learning.fields import read_fields, read_kept_out
from wsi_scale.learning.heads import fit_head
from wsi_scale.learning.interval_scores import SlideTiles, interval_scores, out_of_fold_answers
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.probes import RepeatedSplits, probe
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.magnification.sampling import SourceField
from wsi_scale.networks.cut import write_cut
from wsi_scale.networks.forward import place
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.transfer.cost import cost_of, tiles_per_second

#: Tiles that layers are probed on, their side, and how many go through the network at once.
TILES, TILE_PX, BATCH = 1500, 128, 50
#: Repetitions of the probe, and the share of cases that the interval is calibrated on.
REPETITIONS, CALIBRATION_SHARE = 10, 0.25
#: Side of the tiles that costs are counted and timed on.
COST_PX = 224


@dataclass(frozen=True)
class LayersPruned:
    """What cutting a network gave.

    Attributes
    ----------
    network, regressor
        The files.
    layer
        Where it was cut.
    r2
        Layer → R² of log2 mpp on cases that the probe never saw, shallow to deep.
    parameters, multiply_adds, tiles_per_second
        Before and after; multiply-adds of a 224-px tile.
    """

    network: Path
    regressor: Path
    layer: str
    r2: Mapping[str, float]
    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    tiles_per_second: tuple[float, float]


def prune_layers(config: Config, network: str, weights: Path | None, output: Path) -> LayersPruned:
    """Cut a network after the layer whose pooled responses predict µm per pixel best (Graziani et al. 2021).

    Layers are compared by a ridge on the logarithms of their pooled responses, on cases that it never saw. Beside
    the network file goes a regressor on the last layers of the blocks that are left.

    Parameters
    ----------
    config
        ``training.fields``: tables of fields of known mpp; cases of ``training.kept_out`` are not used.

    Raises
    ------
    ConfigError
        There are no such fields, or too few cases.
    """
    source = find_network(network, weights)
    compute = resolve(config.execution.model_copy(update={"dtype": "float32"}))
    fields = _fields(config.training)
    whole = place(source.tapped(_available_layers(source)), compute)
    span, seed = replace(training_span(config.training), wider_share=0.0), (config.training.seed, 66)
    tiles = draw_responses(fields, TileDraw(span, TILES, BATCH, TILE_PX, seed, "probe"), whole, compute)
    r2 = _probe_layers(tiles, [layer.name for layer in whole.layers], config.training.seed)
    layer = max(r2, key=lambda name: r2[name])
    header = write_cut(output, source, layer, {"made_by": "wsi-scale prune layers", "r2": r2})
    kept = find_network(str(output))
    read = tuple(dict.fromkeys((*kept.architecture.block_ends, header.feature_layer)))
    cut = place(kept.tapped(read), compute)
    regressor = output.with_suffix(".regressor.safetensors")
    description = {
        "fingerprint": fingerprint("prune layers", network=cut.digest, training=config.training),
        "source": "trained",
        "network": str(output),
        "network_digest": cut.digest,
        "layers": list(read),
        "coverage": config.magnification.coverage,
        "training": {"tiles": len(tiles.log2_mpp), "groups": len(set(tiles.cases))},
    }
    write_regressor(regressor, stored_form(_calibrated_head(tiles, read, config.training.seed), description))
    costs = [cost_of(part, COST_PX) for part in (whole, cut)]
    rates = tiles_per_second([whole, cut], COST_PX)
    return LayersPruned(
        output,
        regressor,
        layer,
        r2,
        (costs[0].parameters, costs[1].parameters),
        (costs[0].multiply_adds, costs[1].multiply_adds),
        (rates[0], rates[1]),
    )


def _fields(training: TrainingConfig) -> list[SourceField]:
    kept_out = read_kept_out(training.kept_out)
    fields = [f for f in read_fields(training.fields, stain=training.stain) if f.group not in kept_out]
    if len({field.group for field in fields}) < 2 / CALIBRATION_SHARE:
        raise ConfigError(
            "training.fields: layers are compared on cases that they are not fitted on; give fields of 8 cases or more"
        )
    return fields


def _available_layers(source: NetworkSource) -> list[str]:
    """List every layer up to the deepest whose weights are available."""
    layers = list(source.architecture.nodes)
    while len(layers) > 1 and not source.holds(layers):
        layers.pop()
    return layers


def _probe_layers(tiles: DrawnTiles, layers: Sequence[str], seed: int) -> dict[str, float]:
    found = {}
    with progress("choose", len(layers), unit="layers") as advance:
        for name in layers:
            scores = probe(
                log_features({name: tiles.responses[name]}),
                tiles.log2_mpp.astype(np.float64),
                tiles.cases.tolist(),
                splits=RepeatedSplits(REPETITIONS, seed),
            )
            found[name] = round(scores.mean, 4)
            advance(1)
    return found


def _calibrated_head(tiles: DrawnTiles, layers: Sequence[str], seed: int) -> Regressor:
    """Fit a head, and take its scores from a twin that did not see the cases that they come from."""
    features = log_features({name: tiles.responses[name] for name in layers})
    order = np.random.default_rng((seed, 67)).permutation(sorted(set(tiles.cases.tolist())))
    held = order[: round(CALIBRATION_SHARE * len(order))]
    outside = np.isin(tiles.cases, held)

    def fit(rows: NDArray[np.bool_]) -> Regressor:
        head = fit_head(features[rows], tiles.log2_mpp[rows], tiles.cases[rows].tolist(), seed=seed)
        return Regressor.of_head(head)

    twin = fit(~outside)
    answers = []
    for case in held:
        mine = tiles.cases == case
        finest = float(2 ** tiles.log2_mpp[mine].min())
        answers += out_of_fold_answers(twin, SlideTiles(case, case, finest, features[mine], tiles.log2_mpp[mine]))
    scores = interval_scores(answers)
    whole = fit(np.ones(len(features), bool))
    return replace(whole, scores=scores, score_folds=np.zeros(len(scores), np.int64))
