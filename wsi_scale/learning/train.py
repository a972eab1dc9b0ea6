"""`train`: the embedded network is trained, then exported as a network file and a regressor without an interval."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.artifacts.regressor import write_regressor
from wsi_scale.config.models import Config
from wsi_scale.config.training import TrainingConfig
from wsi_scale.execution.compute import default_workers, resolve
from wsi_scale.execution.progress import progress
from wsi_scale.learning.embedded_training import NETWORK, train_embedded
from wsi_scale.learning.estimator import stored_form
from wsi_scale.learning.fields import read_kept_out
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.magnification.training import ChainRegressor
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS, fold_batch_norm
from wsi_scale.networks.file import NetworkFile, read_network_file, write_network_file
from wsi_scale.networks.network import assemble
from wsi_scale.transfer.loop import LoopState

#: Taps of the covariant search (chosen on calibration scenes of other seeds), and what `extract` averages.
SEARCH_LAYERS, FEATURE_LAYER = ("C2_2", "C3_1", "C3_2", "C4_1"), "C4_2"
#: The regressor that a training leaves beside its network.
REGRESSOR = "embedded.regressor.safetensors"


def train_and_export(config: Config, folder: Path) -> Path:
    """Train (or go on training) and export; returns the network file."""
    settings = config.training
    with ExitStack() as stack:
        advance: list[Callable[[int], None]] = []

        def on_start(epoch: int, steps: int) -> None:
            advance.append(stack.enter_context(progress("train", steps, unit="batches")))
            advance[0](epoch * settings.steps)

        compute = resolve(config.execution)
        # One training, on the cores that blocks would share.
        compute = replace(compute, threads=compute.threads * default_workers(config.execution, compute))
        state = train_embedded(settings, folder, compute, on_start=on_start, on_step=lambda _: advance[0](1))
    return export_network(settings, state, folder)


def export_network(settings: TrainingConfig, state: LoopState, folder: Path) -> Path:
    """Fold batch norm into the convolutions and write the network file and the regressor of its head."""
    model = ChainRegressor(EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS)
    learnt = {name: value for name, value in state.best_model.items() if not name.startswith("teacher_head.")}
    model.load_state_dict(learnt)
    folded = fold_batch_norm(model.eval().features)
    weights = {f"features.{name}": value for name, value in folded.state_dict().items()}
    provenance = {
        "made_by": "wsi-scale train (configs/embedded.yaml)",
        "task": "continuous log2 mpp from tissue",
        "data": [table.parent.name for table in settings.fields],
        "stain": settings.stain,
        "teacher": settings.teacher,
        "kept_out": sorted(read_kept_out(settings.kept_out)),
        "seed": settings.seed,
        "steps": state.epoch * settings.steps,
        "best_epoch": state.best_epoch + 1,
        "validation_median_octaves": round(state.best_score, 4),
    }
    path = folder / NETWORK
    header = NetworkFile("embedded", EMBEDDED_PLAN, SEARCH_LAYERS, FEATURE_LAYER, provenance)
    write_network_file(path, header, weights)
    stored, halves = read_network_file(path)
    digest = assemble(stored.architecture, halves, EMBEDDED_SCALE_LAYERS, str(path)).digest
    description = {
        "fingerprint": fingerprint("train", provenance=provenance, network=digest),
        "source": "trained",
        "network": "embedded",
        "network_digest": digest,
        "layers": list(EMBEDDED_SCALE_LAYERS),
        "coverage": 0.9,
        "training": provenance,
    }
    regressor = stored_form(Regressor.of_head(model.head.export()), description)
    write_regressor(folder / REGRESSOR, regressor)
    return path
