"""``*.regressor.safetensors``: a regressor of log2 mpp, saved without pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, PositiveFloat
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.documents import check_document
from wsi_scale.errors import ArtifactError

_KEY, _DIGEST = "wsi_scale_regressor", "digest"
_AGAIN = "fit one, or omit it to use the shipped one"
#: Name → its dimensions: features, hidden units, outputs, bins, models and scores, by their first letters; 1: one.
_SHAPES = {
    "mean": "f", "scale": "f", "hidden_weights": "hf", "hidden_bias": "h", "weights": "oh", "bias": "o",
    "centres": "b", "bends": "mf", "offsets": "m", "scores": "s", "score_folds": "s",
}  # fmt: skip
ARRAYS = tuple(_SHAPES)
#: What files made before it, or for other networks, do not have.
_OPTIONAL_SHAPES = {"beyond_weights": "f", "beyond_bias": "1"}


@dataclass(frozen=True)
class RegressorFile:
    """A regressor as stored on disk.

    Attributes
    ----------
    arrays
        The head (``mean``, ``scale`` (feature,), ``hidden_weights``, ``hidden_bias``, ``weights``, ``bias``,
        ``centres``), the correction fitted on a cohort (``bends`` (model, feature), ``offsets`` (model,)), and what
        its interval is calibrated on (``scores``, ``score_folds`` (n,)). If it was fitted, the detector of overviews
        and enlargements (``beyond_weights`` (feature,), ``beyond_bias`` (1,)).
    header
        ``fold_of``, ``coverage``, ``network``, ``layers``, ``tile_px``, ``network_digest``, ``source`` (trained,
        shipped, cohort), ``training`` (what it was fitted on, and its out-of-fold answers); ``stain`` (H&E) where
        its interval holds for that stain alone.
    """

    arrays: Mapping[str, NDArray[np.float64]]
    header: Mapping[str, Any]


@dataclass(frozen=True)
class _Answer:
    """An out-of-fold prediction, as a report shows it."""

    true_mpp: PositiveFloat
    predicted_mpp: PositiveFloat


@dataclass(frozen=True)
class _Training:
    """What a regressor was fitted on, as shown in a report."""

    answers: list[_Answer] = field(default_factory=list)


@dataclass(frozen=True)
class _Header:
    """The keys of a header that the package uses; others are notes."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    network: str
    network_digest: str
    layers: Annotated[list[str], Field(min_length=1)]
    fold_of: dict[str, Annotated[int, Field(ge=0)]]
    fingerprint: str = ""
    source: str = ""
    stain: str = ""
    coverage: Annotated[float, Field(gt=0, lt=1)] = 0.9
    training: _Training = field(default_factory=_Training)


def write_regressor(path: Path, regressor: RegressorFile) -> None:
    """Write a regressor atomically."""
    arrays = {name: np.ascontiguousarray(values) for name, values in sorted(regressor.arrays.items())}
    with replacing_file(path) as part:
        header = dict(regressor.header) | {_DIGEST: _digest(regressor.header, arrays)}
        save_file(arrays, part, metadata={_KEY: json.dumps(header, sort_keys=True)})


def read_regressor(path: Path) -> RegressorFile:
    """Read a regressor.

    Raises
    ------
    ArtifactError
        Missing, damaged or something else.
    """
    try:
        with safe_open(path, "np") as stored:
            text = (stored.metadata() or {})[_KEY]
            optional = set(_OPTIONAL_SHAPES) & set(stored.keys())
            arrays = {name: stored.get_tensor(name) for name in (*ARRAYS, *sorted(optional))}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a regressor file ({error}); {_AGAIN}") from error
    header = check_document(text, _Header, str(path), "regressor", _AGAIN)
    if fault := _fault_of(arrays) or _fault_of_folds(header.fold_of, len(arrays["bends"])):
        raise ArtifactError(f"{path} is not a regressor file ({fault}); {_AGAIN}")
    described = json.loads(text)
    if described.pop(_DIGEST, None) not in (None, _digest(described, arrays)):  # of earlier versions there is none
        raise ArtifactError(f"{path} is damaged (its digest does not match its content); {_AGAIN}")
    return RegressorFile(arrays, described)


def _digest(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """Digest of a header and of all values under their names."""
    digest = hashlib.sha256(json.dumps(dict(header), sort_keys=True).encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _fault_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Describe what is wrong with the arrays: shapes that do not fit, values not finite, scale not positive."""
    sizes = {"1": 1}
    for name, dimensions in (_SHAPES | _OPTIONAL_SHAPES).items():
        if name not in arrays:
            continue
        values = arrays[name]
        known = tuple(sizes.setdefault(d, n) for d, n in zip(dimensions, values.shape, strict=False))
        if len(dimensions) != values.ndim or known != values.shape:
            return f"{name} of shape {values.shape} does not fit the others"
        if values.dtype.kind not in "fi" or not np.isfinite(values).all():
            return f"{name} holds values that are not finite numbers"
    if len(set(_OPTIONAL_SHAPES) & set(arrays)) == 1:
        return f"{' and '.join(_OPTIONAL_SHAPES)} must be given together"
    if sizes["o"] != sizes["b"] + 1 or not sizes["m"] or not sizes["f"]:
        return f"{sizes['o']} outputs, {sizes['b']} bins, {sizes['m']} models and {sizes['f']} features do not fit"
    return "" if (arrays["scale"] > 0).all() else "scale must be positive"


def _fault_of_folds(fold_of: Mapping[str, int], models: int) -> str:
    unknown = [group for group, fold in fold_of.items() if fold >= models]
    return f"fold_of: {unknown[0]!r} names a model that does not exist" if unknown else ""


def regressor_fingerprint(path: Path) -> str | None:
    """Fingerprint of a cohort's regressor; None if there is none that can be read."""
    try:
        return str(read_regressor(path).header.get("fingerprint"))
    except ArtifactError:
        return None


def shipped_regressor() -> Path:
    """Path of the regressor that the package carries."""
    return Path(str(files("wsi_scale.networks") / "data" / "embedded-mpp.regressor.safetensors"))
