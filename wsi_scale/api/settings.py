"""Keyword arguments of the public interface → configuration."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from wsi_scale.config.load import load_config
from wsi_scale.config.models import Config
from wsi_scale.execution.compute import resolve
from wsi_scale.execution.settled import settled_as


def configured(**sections: object) -> Config:
    """Check keyword arguments as the configuration that they are keys of.

    Parameters
    ----------
    sections
        ``section`` → {key: value}, or a key of its own → value; None stands for the default.

    Raises
    ------
    ConfigError
        A value is none that the key can have.
    """
    given: dict[str, object] = {}
    for name, value in sections.items():
        if isinstance(value, Mapping):
            given |= {f"{name}.{key}": _plain(inner) for key, inner in value.items()}
        else:
            given[name] = _plain(value)
    return load_config(given=given)


def settled(config: Config) -> Config:
    """Put this machine's device and dtype in the place of ``auto``.

    Raises
    ------
    ConfigError
        A GPU is asked for and there is none.
    """
    compute = resolve(config.execution)
    execution = settled_as(config.execution, compute.device, compute.dtype)
    return config.model_copy(update={"execution": execution})


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return Path(value) if isinstance(value, PathLike) else value
