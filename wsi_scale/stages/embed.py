"""The embedded network: trained, fitted with its regressor, measured on kept-out cases, and described."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.checkpoint import read_checkpoint
from wsi_scale.artifacts.documents import write_json
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.regressor import RegressorFile, write_regressor
from wsi_scale.config.models import Config, TrainingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.magnification.augment import Recipe, cut_tile
from wsi_scale.magnification.features import REGRESSOR_LAYERS, log_features
from wsi_scale.magnification.intervals import conformal_half_width
from wsi_scale.magnification.regressor import Regressor, fit_regressor
from wsi_scale.magnification.sampling import SourceField, draw_batch
from wsi_scale.networks.chain import EMBEDDED_PLAN, ChainRegressor, fold_batch_norm
from wsi_scale.networks.file import NetworkFile, read_network_file, write_network_file
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.network import Network, assemble
from wsi_scale.stages.train import CHECKPOINT, read_fields, read_kept_out, train_embedded
from wsi_scale.transfer.loop import LoopState

#: Taps of the covariant search (chosen on calibration scenes of other seeds), and what `extract` averages.
SEARCH_LAYERS, FEATURE_LAYER = ("C3_1", "C3_2", "C4_1", "C4_2"), "C5_2"
#: Tiles that the regressor is fitted on, and their side in pixels.
FIT_TILES, FIT_PX = 6000, 160
#: Tiles of a kept-out field at one mpp, and draws of mpp for each field, behind the figures.
FIGURE_TILES, FIGURE_DRAWS = 6, 6
COVERAGE = 0.9


def embed(config: Config, folder: Path) -> Path:
    """Train, export, fit and measure the embedded network; returns the network file.

    Writes ``embedded.safetensors``, ``embedded.regressor.safetensors`` and ``figures.json``.
    """
    total = config.training.epochs * config.training.steps
    with ExitStack() as stack:
        advance: list[Callable[[int], None]] = []

        def on_start(epoch: int, steps: int) -> None:
            advance.append(stack.enter_context(progress("train", steps, unit="batches")))
            advance[0](epoch * config.training.steps)

        train_embedded(config.training, folder, on_start=on_start, on_step=lambda _: advance[0](1))
    state = read_checkpoint(folder / CHECKPOINT, LoopState)
    path = export_network(config.training, state, folder / "embedded.safetensors", total)
    measure_embedded(config, path, folder)
    return path


def export_network(config: TrainingConfig, state: LoopState, path: Path, total_steps: int) -> Path:
    """Fold batch norm into the convolutions and write the network file."""
    model = ChainRegressor()
    model.load_state_dict(state.best_model)
    folded = fold_batch_norm(model.eval().features)
    weights = {f"features.{name}": value for name, value in folded.state_dict().items()}
    provenance = {
        "made_by": "wsi-scale train (configs/embedded.yaml)",
        "task": "continuous log2 mpp from tissue",
        "data": [table.parent.name for table in config.fields],
        "stain": config.stain,
        "kept_out": sorted(read_kept_out(config.kept_out)),
        "seed": config.seed,
        "steps": total_steps,
        "best_epoch": state.best_epoch + 1,
        "validation_median_octaves": round(state.best_score, 4),
    }
    header = NetworkFile("embedded", EMBEDDED_PLAN, SEARCH_LAYERS, FEATURE_LAYER, provenance)
    write_network_file(path, header, weights)
    return path


def measure_embedded(config: Config, network_path: Path, folder: Path) -> dict[str, Any]:
    """Fit the shipped regressor on the training cases and measure it on the kept-out ones."""
    settings = config.training
    kept_out = read_kept_out(settings.kept_out)
    if not kept_out:
        raise ConfigError("training.kept_out names no case, so there is nothing to measure on")
    fields = read_fields(settings.fields, stain=settings.stain)
    compute = resolve(config.execution.model_copy(update={"dtype": "float32", "threads": torch.get_num_threads()}))
    header, weights = read_network_file(network_path)
    network = place(assemble(header.architecture, weights, REGRESSOR_LAYERS, str(network_path)), compute)
    draft = _fit([f for f in fields if f.group not in kept_out], settings, network, compute)
    answers = kept_out_answers(draft, [f for f in fields if f.group in kept_out], settings, network, compute)
    errors = np.array([a["field_error_octaves"] for a in answers])
    half = conformal_half_width(errors, COVERAGE)
    regressor = Regressor(draft.mean, draft.scale, draft.weights, draft.intercepts, {}, half)
    figures = figures_of(answers)
    arrays = {name: getattr(regressor, name) for name in ("mean", "scale", "weights", "intercepts")}
    stored = {
        "fingerprint": fingerprint("embedded regressor", network=network.digest, training=settings.seed),
        "source": "shipped",
        "network_digest": network.digest,
        "layers": list(REGRESSOR_LAYERS),
        "tile_px": FIT_PX,
        "fold_of": {},
        "half_width_octaves": round(half, 5),
        "coverage": COVERAGE,
        "training": {"figures": figures, "tiles": FIT_TILES},
    }
    write_regressor(folder / "embedded.regressor.safetensors", RegressorFile(arrays, stored))
    write_json(folder / "figures.json", figures)
    with replacing_file(folder / "answers.tsv") as part:
        part.write_text(_table(answers), encoding="utf-8")
    return figures


def kept_out_answers(
    regressor: Regressor,
    fields: Sequence[SourceField],
    settings: TrainingConfig,
    network: Network,
    compute: Compute,
) -> list[dict[str, Any]]:
    """Answers on clean (not disguised) tiles of fields never trained on, at mpp drawn over 0.25–2 and 2–4."""
    answers = []
    with progress("measure", len(fields), unit="fields") as advance:
        for number, field in enumerate(fields):
            rng = np.random.default_rng((settings.seed, 77, number))
            for _ in range(FIGURE_DRAWS):
                low, high = max(field.mpp, 0.2), min(4.0, min(field.image.shape[:2]) * field.mpp / FIT_PX)
                if high > low:
                    answers.append(
                        _answer(
                            regressor,
                            field,
                            float(np.exp(rng.uniform(np.log(low), np.log(high)))),
                            rng,
                            network,
                            compute,
                        )
                    )
            advance(1)
    return answers


def figures_of(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over kept-out cases, at 0.25–2 and at 2–4 µm/px."""
    figures: dict[str, Any] = {"cases": len({a["group"] for a in answers}), "tile_px": FIT_PX}
    for name, low, high in (("0.25-2", 0.25, 2.0), ("2-4", 2.0, 4.0)):
        chosen = [a for a in answers if low <= a["mpp"] < high]
        if not chosen:
            continue
        tiles = np.concatenate([a["tile_errors"] for a in chosen])
        truth = np.concatenate([np.full(len(a["tile_errors"]), np.log2(a["mpp"])) for a in chosen])
        field = np.array([a["field_error_octaves"] for a in chosen])
        figures[name] = {
            "tiles": len(tiles),
            "fields": len(field),
            "tile_r2": round(float(1 - np.square(tiles).sum() / np.square(truth - truth.mean()).sum()), 4),
            "tile_mae_um": round(float(np.abs(2 ** (truth + tiles) - 2**truth).mean()), 4),
            "tile_median_octaves": round(float(np.median(np.abs(tiles))), 4),
            "field_median_octaves": round(float(np.median(np.abs(field))), 4),
            "field_within_quarter_octave": round(float((np.abs(field) <= 0.25).mean()), 4),
            "field_bias_octaves": round(float(np.median(field)), 4),
        }
    return figures


def _fit(fields: Sequence[SourceField], settings: TrainingConfig, network: Network, compute: Compute) -> Regressor:
    features, truth, groups = [], [], []
    rng = np.random.default_rng((settings.seed, 55))
    with progress("fit", FIT_TILES) as advance:
        for _ in range(FIT_TILES // 50):
            tiles, log2_mpp, drawn = draw_batch(fields, settings.mpp_range, FIT_PX, 50, rng, Recipe())
            features.append(log_features(pooled_responses(network, tiles, compute)))
            truth.append(log2_mpp)
            groups += drawn
            advance(50)
    return fit_regressor(np.concatenate(features), np.concatenate(truth), groups, folds=1)


def _answer(
    regressor: Regressor,
    field: SourceField,
    mpp: float,
    rng: np.random.Generator,
    network: Network,
    compute: Compute,
) -> dict[str, Any]:
    clean = Recipe(grid_octaves=(0.0, 1e-6), jpeg_quality=(90, 98), blur_px=0, stain=0, grey=0, noise=0)
    tiles = np.stack([cut_tile(field.image, field.mpp, mpp, FIT_PX, rng, clean) for _ in range(FIGURE_TILES)])
    errors = regressor.predict(log_features(pooled_responses(network, tiles, compute))) - np.log2(mpp)
    return {
        "group": field.group,
        "mpp": mpp,
        "tile_errors": errors,
        "field_error_octaves": float(np.median(errors)),
    }


def _table(answers: Sequence[dict[str, Any]]) -> str:
    lines = ["case\tmpp\tfield_error_octaves"]
    lines += [f"{a['group']}\t{a['mpp']:.4f}\t{a['field_error_octaves']:.4f}" for a in answers]
    return "\n".join(lines) + "\n"
