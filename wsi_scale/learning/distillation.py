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
from wsi_scale.config.training import TrainingConfig
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.compute import Compute
from wsi_scale.learning.drawn_tiles import TileDraw, draw_responses, training_span
from wsi_scale.learning.fields import fields_identity
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.sampling import SourceField
from wsi_scale.networks.forward import place
from wsi_scale.networks.load import find_network

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
        span=vars(training_span(config)), device=compute.device, dtype=compute.dtype,
    )  # fmt: skip
    own = kept_work(path, print_, path.suffix)
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(own) as part, part.open("wb") as stream:
            draw = TileDraw(training_span(config), config.teacher_tiles, STEP, TILE_PX, (config.seed, 77), "teacher")
            drawn = draw_responses(fields, draw, place(teacher, compute), compute)
            features = log_features(drawn.responses).astype(np.float32)
            np.savez(stream, tiles=drawn.tiles, log2_mpp=drawn.log2_mpp, cases=drawn.cases, features=features)
    try:
        with own.open("rb") as file, np.load(file) as stored:
            return TeacherResponses(stored["tiles"], stored["log2_mpp"], stored["cases"], stored["features"], print_)
    except (BadZipFile, EOFError, KeyError, OSError, RuntimeError, ValueError, zlib.error) as error:
        raise ArtifactError(
            f"{own} holds no responses of a teacher ({error}); delete it to compute them again"
        ) from error
