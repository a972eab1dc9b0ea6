"""Chosen device and dtype: their use on this machine, and the parameters that results depend on."""

from dataclasses import asdict
from typing import Any

from wsi_scale.config.models import ExecutionConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, has_bfloat16, resolve, work_sizes


def compute_of(settled: ExecutionConfig) -> Compute:
    """Make the compute settings of this machine from the chosen device and dtype.

    Raises
    ------
    ConfigError
        This machine does not support them; the message says what to do.
    """
    try:
        compute = resolve(settled)
    except ConfigError as error:
        raise ConfigError(
            "execution.device=cuda was configured, or chosen by the first run, but torch finds no GPU here; use a "
            "machine that has one, or set execution.device=cpu, with which all slides are computed again"
        ) from error
    if compute.dtype == "float16" and compute.device == "cpu":
        raise ConfigError(
            "execution.dtype=float16 was configured, or chosen by the first run, but a CPU computes it slower than "
            "float32; use a machine with a GPU, or set execution.dtype=float32: then all slides are computed again"
        )
    if compute.dtype == "bfloat16" and not has_bfloat16(compute.device):
        raise ConfigError(
            "execution.dtype=bfloat16 was configured, or chosen by the first run, but this machine does not support "
            "it natively; use one that does, or set execution.dtype=float32, with which all slides are computed again"
        )
    return compute


def settled_as(asked: ExecutionConfig, device: str, dtype: str) -> ExecutionConfig:
    """Put a chosen device and dtype in the place of ``auto``; who asks for all GPUs keeps them."""
    kept = asked.device if asked.device_kind == device else device
    return asked.model_copy(update={"device": kept, "dtype": dtype})


def parameters_of(settled: ExecutionConfig) -> dict[str, Any]:
    """Return the execution settings that may change the last bits of a result."""
    parameters = {"device": settled.device_kind, "dtype": settled.dtype, "threads": settled.threads}
    return parameters | asdict(work_sizes(settled, settled.device_kind))
