"""A regressor with the network whose features it reads: loaded from its file, and stored in one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsi_scale.artifacts.regressor import RegressorFile, read_regressor, shipped_regressor
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError
from wsi_scale.execution.compute import Compute, resolve
from wsi_scale.magnification.density import normalise_density
from wsi_scale.magnification.features import log_features
from wsi_scale.magnification.head import Head
from wsi_scale.magnification.out_of_range import OutOfRange
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.magnification.stain import HAEMATOXYLIN_EOSIN

if TYPE_CHECKING:
    from wsi_scale.networks.network import Network


@dataclass(frozen=True)
class Estimator:
    """A regressor and its network, ready for tiles.

    Attributes
    ----------
    regressor, network
        The one reads the log features of the other.
    compute
        Where the network runs.
    """

    regressor: Regressor
    network: "Network"
    compute: Compute

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Log features of tiles, brought to one density: (tile, row, col, rgb) → (tile, feature)."""
        from wsi_scale.networks.forward import pooled_responses

        return log_features(pooled_responses(self.network, normalise_density(images), self.compute))


def chosen_regressor(given: Path | None, configured: Path | None) -> Path:
    """Path of the regressor in use: the one given, else the configuration's, else the one that the package carries."""
    return given or configured or shipped_regressor()


def load_estimator(config: Config, regressor: Path | None = None, network: str | None = None) -> Estimator:
    """Read a regressor, by default the configuration's, else the one that the package carries, and its network."""
    # In another dtype the features would not be those that the regressor was fitted on.
    compute = resolve(config.execution.model_copy(update={"dtype": "float32"}))
    return read_estimator(compute, chosen_regressor(regressor, config.magnification.regressor), network)


def read_estimator(compute: Compute, path: Path, network: str | None = None) -> Estimator:
    """Read a regressor and the network that it names.

    Parameters
    ----------
    compute
        Where the network runs; in float32, as regressors are fitted.
    path
        The regressor.
    network
        A network file or name, where it is not found under the one that the regressor's file gives.

    Raises
    ------
    ArtifactError
        The regressor is damaged, or was fitted on features of another network.
    """
    # torch is loaded where it is needed: a slide that failed before costs nothing here.
    from wsi_scale.networks.forward import place
    from wsi_scale.networks.load import find_network

    stored = read_regressor(path)
    # Read each time, which costs little: the file may have been replaced.
    placed = place(find_network(network or stored.header["network"]).tapped(stored.header["layers"]), compute)
    rebuilt = regressor_of(stored, placed.digest)
    if len(rebuilt.head.mean) != sum(layer.channels for layer in placed.layers):
        raise ArtifactError(
            f"{path} reads other features than layers {', '.join(stored.header['layers'])} give; fit it again"
        )
    return Estimator(rebuilt, placed, compute)


def regressor_of(stored: RegressorFile, digest: str) -> Regressor:
    """Rebuild a stored regressor, checked to belong to the network at hand.

    Raises
    ------
    ArtifactError
        It was fitted on features of another network.
    """
    if stored.header["network_digest"] != digest:
        raise ArtifactError(
            f"the regressor was fitted on another network than the {stored.header['network']} at hand; fit it again"
        )
    arrays = stored.arrays
    return Regressor(
        Head.from_arrays(arrays),
        arrays["bends"],
        arrays["offsets"],
        arrays["scores"],
        arrays["score_folds"].astype(np.int64),
        stored.header["fold_of"],
        OutOfRange(arrays["beyond_weights"], float(arrays["beyond_bias"][0])) if "beyond_weights" in arrays else None,
        stored.header.get("stain") == HAEMATOXYLIN_EOSIN,
    )


def stored_form(regressor: Regressor, header: Mapping[str, Any]) -> RegressorFile:
    """Turn a regressor into what is stored, under a header of :class:`RegressorFile`."""
    arrays = regressor.head.arrays() | {
        name: getattr(regressor, name) for name in ("bends", "offsets", "scores", "score_folds")
    }
    if regressor.out_of_range is not None:
        plane = regressor.out_of_range
        arrays |= {"beyond_weights": plane.weights, "beyond_bias": np.array([plane.bias])}
    noted = {key: value for key, value in header.items() if key != "stain"} | {"fold_of": dict(regressor.fold_of)}
    return RegressorFile(arrays, noted | ({"stain": HAEMATOXYLIN_EOSIN} if regressor.he_alone else {}))
