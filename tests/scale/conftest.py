"""Synthetic channels: responses whose peaks move along planted lines."""

from collections.abc import Callable

import numpy as np
import pytest

#: The default ladder of a tile of 112 µm: 0.25–4 µm/px, three rungs an octave.
LOG2_MPP = np.arange(13) / 3 - 2

Responses = Callable[..., np.ndarray]


@pytest.fixture
def log2_mpp() -> np.ndarray:
    """(rung,)."""
    return LOG2_MPP.copy()


@pytest.fixture
def responses() -> Responses:
    """Maker of (tile, channel, rung): channel i peaks at offset[i] + slope[i] · log2 radius, plus jitter."""

    def make(
        radius_um: np.ndarray, offset: np.ndarray, slope: np.ndarray, jitter_octaves: float = 0.0, seed: int = 0
    ) -> np.ndarray:
        rng = np.random.default_rng(seed)
        peak = offset + slope * np.log2(radius_um)[:, None]
        peak = peak + rng.normal(0, 1, peak.shape) * jitter_octaves
        gain = rng.uniform(0.01, 10, offset.shape)[:, None]
        floor = rng.uniform(0, 0.5, offset.shape)[:, None]
        return gain * (floor + np.exp(-np.square(LOG2_MPP - peak[..., None]) / 2))

    return make
