"""Device and dtype once they are settled: what this machine makes of them, and what results depend on."""

from typing import Any

from wsi_scale.config.models import ExecutionConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, has_bfloat16, resolve


def compute_of(settled: ExecutionConfig) -> Compute:
    """Compute on this machine as was settled.

    Raises
    ------
    ConfigError
        This machine cannot: the line says what to do.
    """
    try:
        compute = resolve(settled)
    except ConfigError as error:
        raise ConfigError(
            "execution.device=cuda was configured, or settled by the first run, and torch sees no GPU here; use a "
            "machine that has one, or set execution.device=cpu, with which all slides are computed again"
        ) from error
    if compute.dtype == "bfloat16" and not has_bfloat16(compute.device):
        raise ConfigError(
            "execution.dtype=bfloat16 was configured, or settled by the first run, and this machine does not support "
            "it natively; use one that does, or set execution.dtype=float32, with which all slides are computed again"
        )
    return compute


def parameters_of(settled: ExecutionConfig) -> dict[str, Any]:
    """Name what of the execution may change the last bits of a result."""
    return {key: getattr(settled, key) for key in ("device", "dtype", "threads", "batch_mpx", "block_tiles")}
