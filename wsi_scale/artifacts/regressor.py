"""``*.regressor.safetensors``: a regressor of log2 mpp, saved without pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.errors import ArtifactError

_KEY = "wsi_scale_regressor"
ARRAYS = (
    "mean", "scale", "hidden_weights", "hidden_bias", "weights", "bias", "centres",
    "bends", "offsets", "scores", "score_folds",
)  # fmt: skip


@dataclass(frozen=True)
class RegressorFile:
    """A regressor as stored.

    Attributes
    ----------
    arrays
        The head (``mean``, ``scale`` (feature,), ``hidden_weights``, ``hidden_bias``, ``weights``, ``bias``,
        ``centres``), what a cohort adds to it (``bends`` (model, feature), ``offsets`` (model,)), and what
        its interval is calibrated on (``scores``, ``score_folds`` (n,)).
    header
        ``fold_of``, ``coverage``, ``network``, ``layers``, ``tile_px``, ``network_digest``, ``source`` (trained,
        shipped, cohort), ``training`` (what it was fitted on, and its out-of-fold answers).
    """

    arrays: Mapping[str, NDArray[np.float64]]
    header: Mapping[str, Any]


def write_regressor(path: Path, regressor: RegressorFile) -> None:
    """Write a regressor whole or not at all."""
    arrays = {name: np.ascontiguousarray(values) for name, values in sorted(regressor.arrays.items())}
    with replacing_file(path) as part:
        save_file(arrays, part, metadata={_KEY: json.dumps(dict(regressor.header), sort_keys=True)})


def read_regressor(path: Path) -> RegressorFile:
    """Read a regressor.

    Raises
    ------
    ArtifactError
        Missing, damaged or something else.
    """
    try:
        with safe_open(path, "np") as stored:
            header = json.loads((stored.metadata() or {})[_KEY])
            arrays = {name: stored.get_tensor(name) for name in ARRAYS}
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{path} is no regressor ({error}); fit one, or leave it out to use the shipped one"
        ) from error
    return RegressorFile(arrays, header)


def regressor_fingerprint(path: Path) -> str | None:
    """Fingerprint of a cohort's regressor; None where there is none that can be read."""
    try:
        return str(read_regressor(path).header.get("fingerprint"))
    except ArtifactError:
        return None


def shipped_regressor() -> Path:
    """Path of the regressor that the package carries."""
    return Path(str(files("wsi_scale.networks") / "data" / "embedded.regressor.safetensors"))
