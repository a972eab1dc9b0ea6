"""Distillation: responses of a pretrained teacher to training tiles, computed once and kept."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.checkpoint import kept_work
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.config.models import TrainingConfig
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.compute import Compute
from wsi_scale.execution.progress import progress
from wsi_scale.learning.fields import fields_identity
from wsi_scale.magnification.augment import Augmentation
from wsi_scale.magnification.density import level_density
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.sampling import SourceField, Span, draw_batch
from wsi_scale.networks.forward import place, pooled_responses
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network

#: Side of the tiles, and how many pass through the teacher at a time.
TILE_PX, STEP = 128, 50


@dataclass(frozen=True)
class TeacherResponses:
    """Tiles of known mpp with the responses of a teacher.

    Attributes
    ----------
    tiles
        (tile, row, col, rgb), levelled.
    log2_mpp
        (tile,).
    cases
        (tile,) what a split keeps together.
    features
        (tile, feature) log-pooled responses of the teacher, standardised over the tiles.
    fingerprint
        Digest of what was drawn from, how, and of the teacher.
    """

    tiles: NDArray[np.uint8]
    log2_mpp: NDArray[np.float32]
    cases: NDArray[np.str_]
    features: NDArray[np.float32]
    fingerprint: str

    def without(self, cases: frozenset[str]) -> "TeacherResponses":
        """Leave out the tiles of some cases, and what they added to the standardisation."""
        kept = ~np.isin(self.cases, sorted(cases))
        features = self.features[kept]
        standard = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
        return TeacherResponses(self.tiles[kept], self.log2_mpp[kept], self.cases[kept], standard, self.fingerprint)


def teacher_responses(
    fields: Sequence[SourceField], config: TrainingConfig, compute: Compute, path: Path
) -> TeacherResponses:
    """Draw tiles of all cases and pass them through the teacher, or read the responses that were kept.

    Cases that a training must not see are left out when it is loaded (:meth:`TeacherResponses.without`), not of the
    file: one file serves trainings that keep different cases out.

    Parameters
    ----------
    path
        The file (.npz); its name gets a digest of all that the responses depend on.

    Raises
    ------
    ArtifactError
        The file is damaged.
    """
    teacher = find_network(str(config.teacher)).tapped(config.teacher_layers)
    print_ = fingerprint(
        "teacher responses", fields=fields_identity(fields), teacher=teacher.digest,
        layers=[layer.name for layer in teacher.layers], tiles=config.teacher_tiles, seed=config.seed,
        span=vars(Span.of_training(config)), device=compute.device, dtype=compute.dtype,
    )  # fmt: skip
    own = kept_work(path, print_, path.suffix)
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(own) as part, part.open("wb") as stream:
            tiles, log2_mpp, cases, features = _respond(fields, config, place(teacher, compute), compute)
            np.savez(stream, tiles=tiles, log2_mpp=log2_mpp, cases=cases, features=features)
    try:
        with own.open("rb") as file, np.load(file) as stored:
            return TeacherResponses(stored["tiles"], stored["log2_mpp"], stored["cases"], stored["features"], print_)
    except (BadZipFile, EOFError, KeyError, OSError, RuntimeError, ValueError, zlib.error) as error:
        raise ArtifactError(
            f"{own} holds no responses of a teacher ({error}); delete it to compute them again"
        ) from error


def _respond(
    fields: Sequence[SourceField], config: TrainingConfig, teacher: Network, compute: Compute
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.str_], NDArray[np.float32]]:
    span = Span.of_training(config)
    rng = np.random.default_rng((config.seed, 77))
    tiles, truth, cases, features = [], [], [], []
    with progress("teacher", config.teacher_tiles) as advance:
        for _ in range(-(-config.teacher_tiles // STEP)):
            drawn, log2_mpp, groups = draw_batch(fields, span, TILE_PX, STEP, rng, Augmentation())
            tiles.append(level_density(drawn))
            features.append(log_features(pooled_responses(teacher, tiles[-1], compute)).astype(np.float32))
            truth.append(log2_mpp)
            cases += groups
            advance(STEP)
    return np.concatenate(tiles), np.concatenate(truth), np.array(cases), np.concatenate(features)
