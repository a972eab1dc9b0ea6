"""Stage `prune`: a network → a smaller one that reads µm per pixel no worse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.regressor import write_regressor
from wsi_scale.config.models import Config, TrainingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.learning.estimator import stored_form
from wsi_scale.learning.fields import read_fields, read_kept_out
from wsi_scale.learning.heads import fit_head
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.density import level_density
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.probes import probe
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.magnification.sampling import SourceField, Span, draw_batch
from wsi_scale.networks.cut import write_cut
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import NetworkSource, find_network
from wsi_scale.networks.network import Network
from wsi_scale.stages.fit import SlideTiles, out_of_fold_answers
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


@dataclass(frozen=True)
class ProbeTiles:
    """Responses of every layer to disguised tiles: layer → (tile, channel), with truth and cases, both (tile,)."""

    responses: Mapping[str, NDArray[np.floating]]
    log2_mpp: NDArray[np.floating]
    cases: NDArray[np.str_]

    def features(self, layers: Sequence[str]) -> NDArray[np.float64]:
        """Log features of some layers, (tile, feature)."""
        return log_features({name: self.responses[name] for name in layers})


def prune_layers(config: Config, network: str, weights: Path | None, output: Path) -> LayersPruned:
    """Cut a network after the layer whose pooled responses tell µm per pixel best (Graziani et al. 2021).

    Layers are compared by a ridge on the logarithms of their pooled responses, on cases that it never saw. Beside
    the network file goes a regressor on the last layers of the blocks that are left.

    Parameters
    ----------
    config
        ``training.fields``: tables of fields of known mpp; cases of ``training.kept_out`` play no part.

    Raises
    ------
    ConfigError
        There are no such fields, or too few cases.
    """
    source = find_network(network, weights)
    compute = resolve(config.execution.model_copy(update={"dtype": "float32"}))
    fields = _fields(config.training)
    whole = place(source.tapped(_layers_at_hand(source)), compute)
    tiles = _probe_tiles(fields, config.training, whole, compute)
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
        raise ConfigError("training.fields: layers are chosen by cases never fitted on; give fields of 8 cases or more")
    return fields


def _layers_at_hand(source: NetworkSource) -> list[str]:
    """Every layer up to the deepest whose weights are there."""
    layers = list(source.architecture.nodes)
    while len(layers) > 1 and not source.holds(layers):
        layers.pop()
    return layers


def _probe_tiles(
    fields: Sequence[SourceField], training: TrainingConfig, network: Network, compute: Compute
) -> ProbeTiles:
    span = replace(Span.of_training(training), wider_share=0.0)
    rng = np.random.default_rng((training.seed, 66))
    responses, truth, cases = [], [], []
    with progress("probe", TILES) as advance:
        for _ in range(TILES // BATCH):
            tiles, log2_mpp, groups = draw_batch(fields, span, TILE_PX, BATCH, rng, Augmentation())
            responses.append(pooled_responses(network, level_density(tiles), compute))
            truth.append(log2_mpp)
            cases += groups
            advance(BATCH)
    joined = {layer.name: np.concatenate([part[layer.name] for part in responses]) for layer in network.layers}
    return ProbeTiles(joined, np.concatenate(truth), np.array(cases))


def _probe_layers(tiles: ProbeTiles, layers: Sequence[str], seed: int) -> dict[str, float]:
    found = {}
    with progress("choose", len(layers), unit="layers") as advance:
        for name in layers:
            scores = probe(
                tiles.features([name]),
                tiles.log2_mpp.astype(np.float64),
                tiles.cases.tolist(),
                repetitions=REPETITIONS,
                seed=seed,
            )
            found[name] = round(scores.mean, 4)
            advance(1)
    return found


def _calibrated_head(tiles: ProbeTiles, layers: Sequence[str], seed: int) -> Regressor:
    """Fit a head, and take its scores from a twin that did not see the cases that they come from."""
    features = tiles.features(layers)
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
    scores = np.array([abs(np.log2(a["predicted_mpp"] / a["true_mpp"])) / a["difficulty_octaves"] for a in answers])
    whole = fit(np.ones(len(features), bool))
    return Regressor(whole.head, whole.bends, whole.offsets, scores, np.zeros(len(scores), np.int64))
