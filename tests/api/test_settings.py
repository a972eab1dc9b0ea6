"""Keyword arguments are keys of the configuration, whatever kind of number or path they come as."""

from pathlib import Path
from typing import Any

import numpy as np

from wsi_scale.api.settings import configured
from wsi_scale.config.models import Config
from wsi_scale.config.values import Section


def test_none_stands_for_the_default() -> None:
    models = {name: value for name, value in Config() if isinstance(value, Section)}
    nothing: dict[str, Any] = {name: dict.fromkeys(type(model).model_fields) for name, model in models.items()}
    assert configured(**nothing, network=None, weights=None, results=None) == Config()
    assert configured(**dict.fromkeys(models)) == Config()


def test_what_numpy_and_paths_give_is_taken() -> None:
    config = configured(
        tiling={"tile_px": np.int64(256), "mpp": np.float32(0.5)},
        features={"mpps": np.array([0.5, 2.0])},
        weights=Path("a #1: b.pt"),
    )
    assert (config.tiling.tile_px, config.tiling.mpp) == (256, 0.5)
    assert config.features.mpps == (0.5, 2.0)
    assert config.weights == Path("a #1: b.pt")
