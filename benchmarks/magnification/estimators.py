"""The estimators that are evaluated: each split's backbone and head, not trained on the cases that they answer on."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.magnification.draws import Draw
from benchmarks.magnification.features import ViewFeatures, draw_features
from benchmarks.magnification.figures import Answer
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.learning.embedded_training import NETWORK
from wsi_scale.learning.estimator import Estimator, load_estimator
from wsi_scale.learning.fields import read_kept_out
from wsi_scale.learning.train import REGRESSOR
from wsi_scale.magnification.estimate import estimate_views
from wsi_scale.magnification.regressor import Regressor

#: The backbones that figures need, kept with the benchmarks.
BACKBONES = Path("benchmarks/backbones")
FOLDS = ("fold-1", "fold-2", "fold-3")
LEFT_OUT = {"without-at2": "Aperio AT2", "without-gt450": "Leica GT450 DX"}


def load_split(split: str) -> Estimator:
    """Estimator of a split's backbone."""
    folder = BACKBONES / split
    return load_estimator(Config(execution=ExecutionConfig(threads=2)), folder / REGRESSOR, str(folder / NETWORK))


def kept_out(split: str) -> frozenset[str]:
    """Cases that a split's backbone was not trained on."""
    table = Path("configs/kept_out.tsv") if split == "shipped" else Path("configs/splits") / f"{split}.tsv"
    return read_kept_out(table)


def answers_of(estimator: Estimator, draws: Sequence[Draw]) -> list[Answer]:
    """Answers to draws by an estimator's own network and regressor."""
    features = draw_features(draws, estimator)
    return [answer_to(draw, features[draw.key], estimator.regressor) for draw in draws]


def answer_to(draw: Draw, views: ViewFeatures, regressor: Regressor) -> Answer:
    """Answer to one draw from the features of its views."""
    estimate = estimate_views(regressor, views, 0.9)
    return Answer(
        draw.name,
        draw.case,
        draw.scanner,
        draw.mpp,
        draw.octave,
        estimate.pooled.log2_mpp,
        estimate.pooled.difficulty_octaves,
        sum(len(part.features) for part in views if part.downsample == 1),
        estimate.reason,
        draw.stain,
        draw.organ,
    )
