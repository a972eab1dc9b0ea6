"""Regressors whose answers are planted: what they say of a tile is known beforehand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from wsi_scale.artifacts.regressor import write_regressor
from wsi_scale.learning.estimator import stored_form
from wsi_scale.learning.interval_scores import SlideTiles
from wsi_scale.magnification.head import BIN_CENTRES, Head
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.networks.file import NetworkFile, write_network_file
from wsi_scale.networks.load import find_network

#: Standard deviation that a planted head gives itself, octaves.
SPREAD = 0.25
#: Added before the head's ReLU, so that it cuts nothing off.
_LIFT = 20.0


def reading_head(features: int = 1, *, base: float = 0.0, gain: float = 1.0, tissue: float = 1.0) -> Head:
    """Make a head that takes ``base + gain · first feature`` for log2 mpp, give or take :data:`SPREAD` octaves.

    A bell over the bins has logits (said · centre − centre² / 2) / SPREAD²: a plain sum in what is said.

    Parameters
    ----------
    tissue
        Probability of tissue where the features are not used (``gain`` 0); 1 where they do.
    """
    hidden = np.zeros((1, features))
    hidden[0, 0] = 1
    slope = BIN_CENTRES / SPREAD**2
    bias = (base - gain * _LIFT) * slope - BIN_CENTRES * slope / 2
    other = np.logaddexp.reduce(bias) + np.log((1 - tissue) / tissue) if tissue < 1 else -1e4
    zero, one = np.zeros(features), np.ones(features)
    weights = np.append(gain * slope, 0.0)[:, None]
    return Head(zero, one, hidden, np.array([_LIFT]), weights, np.append(bias, other), BIN_CENTRES)


def write_planted(
    folder: Path,
    mpp: float,
    *,
    octaves_per_light: float = 0.0,
    tissue: float = 1.0,
    scores: Sequence[float] = (0.8,) * 20,
) -> Path:
    """Write a network of one channel, which answers how light a tile is, and a regressor that reads it.

    Parameters
    ----------
    mpp
        What every view is taken for, µm per pixel, where light is not used. Slides of less than 192 pixels a
        side are looked at once only, at level 0, so that this is what they are taken for.
    octaves_per_light
        Octaves by which a tile is taken for coarser for each e-fold of its light (grey levels, plus some).
    tissue
        Probability of tissue that every view gives itself, where light is not used.
    scores
        What the interval is calibrated on; its half width is their quantile times :data:`SPREAD`.

    Returns
    -------
    path
        Of the regressor; the network lies beside it.
    """
    weight = torch.zeros(1, 3, 3, 3)
    weight[0, :, 1, 1] = 1 / 3
    network = folder / "planted.safetensors"
    header = NetworkFile("planted", (1,), ("C1_1",), "C1_1", {"made_by": "tests"})
    write_network_file(network, header, {"features.0.weight": weight, "features.0.bias": torch.full((1,), 3.0)})
    head = reading_head(base=float(np.log2(mpp)), gain=octaves_per_light, tissue=tissue)
    regressor = replace(
        Regressor.of_head(head), scores=np.array(scores, float), score_folds=np.zeros(len(scores), np.int64)
    )
    described = {
        "fingerprint": f"planted {mpp} {octaves_per_light} {tissue}",
        "source": "trained",
        "network": str(network),
        "network_digest": find_network(str(network)).tapped(("C1_1",)).digest,
        "layers": ["C1_1"],
        "coverage": 0.9,
        "training": {},
    }
    path = folder / "planted.regressor.safetensors"
    write_regressor(path, stored_form(regressor, described))
    return path


def planted_tiles(mpp: float, group: str, error: float = 0.0) -> SlideTiles:
    """Tiles at 0.5–4 µm/px that look as they are, less an error."""
    log2_mpp = np.linspace(np.log2(mpp), 2, 40)
    return SlideTiles(f"slide {group}", group, mpp, (log2_mpp + error)[:, None], log2_mpp)
